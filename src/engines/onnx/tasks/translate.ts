/** Translation with an encoder and a decoder: Marian, M2M100, NLLB, T5. */
import { HearthError } from "../../../error.ts";
import type { OpenTasks } from "../context.ts";
import { openPipeline, rows, stringOf } from "../pipeline.ts";

export const openTranslate: OpenTasks = async (context) => {
  const pipe = await openPipeline(context, "translation");
  const manyLanguages = /^(m2m_100|nllb|mbart)/.test(context.info.architecture);
  return {
    tasks: {
      async translate({ text, from, to }) {
        if (text.trim() === "")
          throw new HearthError("bad_request", "`text` is empty.", { details: { field: "text" } });
        if (manyLanguages && (from === undefined || to === undefined)) {
          throw new HearthError("bad_request", "This model knows many languages: name the two.", {
            hint: "Send `from` and `to`, in the model's own codes.",
            details: { field: from === undefined ? "from" : "to" },
          });
        }
        if (!manyLanguages && (from !== undefined || to !== undefined)) {
          throw new HearthError("unsupported_option", "This model translates from one language to one other.", {
            hint: "Leave `from` and `to` out.",
            details: { field: "to" },
          });
        }
        const [found] = rows(await pipe(text, manyLanguages ? { src_lang: from, tgt_lang: to } : {}));
        return { text: found ? stringOf(found, "translation_text") : "" };
      },
    },
    dispose: () => pipe.dispose(),
  };
};
