/** A vocabulary in the words of GGUF. */
import type { GgufTypedValue } from "../../gguf/encode.ts";
import { flag, text, uint } from "../family.ts";
import { malformed } from "../json.ts";
import type { TokenTable } from "./table.ts";
import { tokenTypes } from "./table.ts";

/** What a kind of tokenizer says; the roles of tokens are added to it. */
export interface Vocabulary {
  readonly model: "gpt2" | "llama" | "bert" | "t5";
  /** How texts are cut, for `gpt2`; undefined: in a way that has no name in GGUF. */
  readonly pre: string | undefined;
  /** What GGUF has no words for. */
  readonly problem?: string;
  readonly table: TokenTable;
  readonly hasScores: boolean;
  readonly merges?: readonly string[];
  readonly flags: Readonly<Record<string, boolean | undefined>>;
  readonly charsmap?: Uint8Array;
}

export type VocabularyKeys = Record<string, GgufTypedValue>;

const prefix = "tokenizer.ggml.";

/**
 * Keys `tokenizer.ggml.*`. There are as many tokens as the table of embeddings has `rows`: unused ones fill it up, and added
 * ones beyond it are left out, since nothing can be computed for them.
 */
export function vocabularyKeys(vocabulary: Vocabulary, rows: number): VocabularyKeys {
  const { model, pre, table, hasScores, merges, flags, charsmap } = vocabulary;
  const tokens: string[] = [];
  const types: number[] = [];
  const scores: number[] = [];
  for (let id = 0; id < rows; id++) {
    const token = table.at(id);
    tokens.push(token?.text ?? `[PAD${id}]`);
    types.push(token?.type ?? tokenTypes.unused);
    scores.push(token?.score ?? 0);
  }
  checkBeyond(table, rows);
  return {
    [`${prefix}model`]: text(model),
    ...(pre !== undefined && { [`${prefix}pre`]: text(pre) }),
    [`${prefix}tokens`]: { type: "array", of: "string", value: tokens },
    [`${prefix}token_type`]: { type: "array", of: "int32", value: types },
    ...(hasScores && { [`${prefix}scores`]: { type: "array", of: "float32", value: scores } }),
    ...(merges && { [`${prefix}merges`]: { type: "array", of: "string", value: merges } }),
    ...(charsmap && { [`${prefix}precompiled_charsmap`]: { type: "array", of: "uint8", value: charsmap } }),
    ...flagKeys(flags),
  };
}

function flagKeys(flags: Vocabulary["flags"]): VocabularyKeys {
  const keys: VocabularyKeys = {};
  for (const [name, value] of Object.entries(flags)) if (value !== undefined) keys[prefix + name] = flag(value);
  return keys;
}

/** Only added tokens may have no row of the embeddings. */
function checkBeyond(table: TokenTable, rows: number): void {
  for (let id = rows; id < table.size; id++) {
    const type = table.at(id)?.type;
    if (type === undefined || type === tokenTypes.control || type === tokenTypes.userDefined) continue;
    throw malformed("The tokenizer", "vocab", `has ${table.size} tokens, but the embeddings only ${rows}`);
  }
}

/** Ids of tokens with a role, by their name in GGUF. */
export function roleKeys(roles: Readonly<Record<string, number | undefined>>, rows: number): VocabularyKeys {
  const keys: VocabularyKeys = {};
  for (const [role, id] of Object.entries(roles)) {
    if (id !== undefined && id < rows) keys[`${prefix}${role}_token_id`] = uint(id);
  }
  return keys;
}
