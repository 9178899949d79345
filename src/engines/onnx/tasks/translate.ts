/** Translation with an encoder and a decoder: Marian, M2M100, NLLB, T5. */
import { HearthError } from "../../../error.ts";
import type { Tasks } from "../../../spec/perform.ts";
import type { OpenTasks } from "../context.ts";
import { openPipeline, rows, stringOf } from "../pipeline.ts";
import { writing } from "../writing.ts";

type TranslateRequest = Tasks["translate"]["request"];

export const openTranslate: OpenTasks = async (context) => {
  const pipe = await openPipeline(context, "translation");
  const manyLanguages = /^(m2m_100|nllb|mbart)/.test(context.info.architecture);
  return {
    tasks: {
      async translate(request, options) {
        const { text, from, to } = request;
        if (text.trim() === "") throw bad("text", "`text` is empty.");
        if (manyLanguages) checkLanguages(request, pipe.tokenizer.language_codes ?? []);
        else if (from !== undefined || to !== undefined) {
          throw new HearthError("unsupported_option", "This model translates from one language to one other.", {
            hint: "Leave `from` and `to` out.",
            details: { field: "to" },
          });
        }
        const languages = manyLanguages ? { src_lang: from, tgt_lang: to } : {};
        const [found] = rows(await pipe(text, { ...languages, ...(await writing(context, pipe, options)) }));
        return { text: found ? stringOf(found, "translation_text") : "" };
      },
    },
    dispose: () => pipe.dispose(),
  };
};

function checkLanguages({ from, to }: TranslateRequest, known: readonly string[]): void {
  for (const [field, language] of Object.entries({ from, to })) {
    if (language === undefined) {
      throw bad(
        field,
        "This model knows many languages: name the two.",
        "Send `from` and `to`, in the model's own codes.",
      );
    }
    if (known.length > 0 && !known.includes(language)) {
      throw bad(field, `The model knows no language "${language}".`, `Its languages are ${known.join(", ")}.`);
    }
  }
}

function bad(field: string, message: string, hint?: string): HearthError {
  return new HearthError("bad_request", message, { ...(hint !== undefined && { hint }), details: { field } });
}
