/** Translation with an encoder and a decoder: Marian, M2M100, NLLB, T5. */
import { HearthError } from "../../../error.ts";
import type { Tasks } from "../../../spec/perform.ts";
import type { OnnxContext, OpenTasks } from "../context.ts";
import { openPipeline, rows, stringOf } from "../pipeline.ts";
import type { Tokenizer } from "../transformers.ts";
import { writing } from "../writing.ts";

type TranslateRequest = Tasks["translate"]["request"];

export const openTranslate: OpenTasks = async (context) => {
  const pipe = await openPipeline(context, "translation");
  const limits = limitsOf(context, pipe.tokenizer);
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
        checkLength(text, pipe.tokenizer, limits.read);
        const languages = manyLanguages ? { src_lang: from, tgt_lang: to } : {};
        const more = { max_new_tokens: limits.written, ...(await writing(context, pipe, options)) };
        const [found] = rows(await pipe(text, { ...languages, ...more }));
        return { text: found ? stringOf(found, "translation_text") : "" };
      },
    },
    dispose: () => pipe.dispose(),
  };
};

/** Tokens that a model of T5's kind writes at most: it has no places that end. */
const defaultTokens = 512;

/** Tokens: what is read at once, and what is written, the token that begins it aside. */
function limitsOf(
  context: OnnxContext,
  { model_max_length }: Tokenizer,
): { readonly read: number; readonly written: number } {
  const figure = (file: string, name: string): number => {
    const value = context.config(file)?.[name];
    return typeof value === "number" && value > 1 ? value : Infinity;
  };
  const places = figure("config.json", "max_position_embeddings");
  const own = Math.min(figure("generation_config.json", "max_length"), figure("config.json", "max_length"), places);
  const written = Number.isFinite(own) ? own : defaultTokens;
  return { read: Math.min(model_max_length ?? Infinity, places), written: written - 1 };
}

function checkLength(text: string, tokenizer: Tokenizer, most: number): void {
  const { length } = tokenizer(text, { return_tensor: false }).input_ids;
  if (length <= most) return;
  throw bad(
    "text",
    `The text has ${length} tokens; the model reads ${most} at once.`,
    "Send its paragraphs one by one.",
  );
}

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
