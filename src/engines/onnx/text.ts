/** Texts in, numbers for a text encoder out. */
import { HearthError } from "../../error.ts";
import { onlyTexts, specialPattern } from "../host/prompt.ts";
import type { OnnxContext, TextTasks } from "./context.ts";
import type { Config } from "./files.ts";
import { isConfig } from "./files.ts";
import type { OnnxSession, Tensors } from "./session.ts";
import type { Tokenizer } from "./transformers.ts";

/** Tokens of one text, or of two that belong together. */
export interface EncodedText {
  readonly ids: readonly number[];
  /** 0 of the first text, 1 of the second, where the model is told. */
  readonly types?: readonly number[];
}

export interface TextEncoder extends TextTasks {
  readonly padId: number;
  /** Throws `context_too_long` with details {promptTokens, contextTokens}. `index` names the text to the caller. */
  encode(text: string, options?: { readonly pair?: string; readonly index?: number }): EncodedText;
  /** The text of a single token as it stands in the vocabulary's text. */
  readonly tokenizer: Tokenizer;
  /** Whether it knows no capital letters. */
  readonly lowercase: boolean;
}

export async function openTextEncoder(context: OnnxContext): Promise<TextEncoder> {
  const { AutoTokenizer } = await context.transformers();
  const tokenizer = await AutoTokenizer.from_pretrained(context.folder, { local_files_only: true });
  const special = specialPattern(specialTexts(context.config("tokenizer.json")));
  const contextTokens = context.info.trainContextTokens;
  const plain = (text: string): string => (special ? text.replaceAll(special, apart) : text);
  return {
    tokenizer,
    contextTokens,
    padId: tokenizer.pad_token_id ?? 0,
    lowercase: context.config("tokenizer_config.json")?.["do_lower_case"] === true,
    tokenize(parts) {
      const text = onlyTexts(parts)
        .map((part) => part.text)
        .join("");
      return tokenizer(plain(text), { add_special_tokens: false, return_tensor: false }).input_ids;
    },
    detokenize: (tokens) => tokenizer.decode(tokens, { skip_special_tokens: true }),
    encode(text, { pair, index = 0 } = {}) {
      const { input_ids: ids, token_type_ids: types } = tokenizer(plain(text), {
        return_tensor: false,
        ...(pair !== undefined && { text_pair: plain(pair) }),
      });
      if (ids.length > contextTokens) throw tooLong(ids.length, contextTokens, index);
      return { ids, ...(types && { types }) };
    },
  };
}

/** User text never becomes a control token: a space comes between its first two letters. */
function apart(word: string): string {
  const [first = "", ...rest] = word;
  return `${first} ${rest.join("")}`;
}

function specialTexts(tokenizer: Config | undefined): string[] {
  const added = tokenizer?.["added_tokens"];
  if (!Array.isArray(added)) return [];
  return added.flatMap((token: unknown) =>
    isConfig(token) && token["special"] === true && typeof token["content"] === "string" ? [token["content"]] : [],
  );
}

function tooLong(promptTokens: number, contextTokens: number, index: number): HearthError {
  return new HearthError(
    "context_too_long",
    `Text ${index + 1} has ${promptTokens} tokens with those around it; the model takes ${contextTokens}.`,
    { hint: "Shorten the text, or let it be cut (truncate).", details: { promptTokens, contextTokens, index } },
  );
}

/** Rows of equal length: [rows, longest] for each input that the session has. */
export function padTexts(rows: readonly EncodedText[], { inputs }: OnnxSession, padId: number): Tensors {
  const longest = Math.max(...rows.map(({ ids }) => ids.length));
  const shape = [rows.length, longest];
  const filled = (fill: number, value: (row: EncodedText, at: number) => number, wide: boolean): Tensors[string] => {
    const numbers = new Int32Array(shape[0]! * longest * (wide ? 2 : 1));
    // The upper half of a little-endian 64-bit integer stays 0: none of these numbers is negative.
    const step = wide ? 2 : 1;
    rows.forEach((row, index) => {
      for (let at = 0; at < longest; at++) {
        numbers[(index * longest + at) * step] = at < row.ids.length ? value(row, at) : fill;
      }
    });
    return wide
      ? { type: "int64", shape, data: new BigInt64Array(numbers.buffer) }
      : { type: "int32", shape, data: numbers };
  };
  const made: Record<string, Tensors[string]> = {};
  for (const { name, type } of inputs) {
    const wide = type !== "int32";
    if (name === "input_ids") made[name] = filled(padId, ({ ids }, at) => ids[at] ?? padId, wide);
    else if (name === "attention_mask") made[name] = filled(0, () => 1, wide);
    else if (name === "token_type_ids") made[name] = filled(0, ({ types }, at) => types?.[at] ?? 0, wide);
    else if (name === "position_ids") made[name] = filled(0, (_, at) => at, wide);
    else throw new HearthError("model_unsupported", `The model has an input "${name}" that no text encoder has.`);
  }
  return made;
}
