import { booleanOf, integerOf, numbersOf, stringOf, stringsOf } from "../../gguf/check.ts";
import type { GgufFile } from "../../gguf/types.ts";
import { addsBos } from "../tokenizer/pre-tokenizer.ts";
import { tokenTypes } from "../tokenizer/table.ts";

/** The vocabulary of the file, as far as it is needed here. */
export interface Source {
  readonly model: string;
  readonly pre: string;
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  readonly scores: ArrayLike<number>;
  readonly merges: readonly string[] | undefined;
  readonly role: (name: string) => number | undefined;
  readonly flag: (name: string) => boolean | undefined;
  /** Whether a text gets these tokens; where the file does not say, as engines do. */
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly charsmap: Uint8Array | undefined;
}

const prefix = "tokenizer.ggml.";

export function readSource(file: GgufFile): Source {
  const tokens = [...(stringsOf(file, `${prefix}tokens`) ?? [])];
  const types = numbersOf(file, `${prefix}token_type`);
  const merges = stringsOf(file, `${prefix}merges`);
  const charsmap = numbersOf(file, `${prefix}precompiled_charsmap`);
  const model = stringOf(file, `${prefix}model`) ?? "";
  const pre = stringOf(file, `${prefix}pre`) ?? "default";
  const flag = (name: string): boolean | undefined => booleanOf(file, prefix + name);
  return {
    model,
    pre,
    tokens,
    types: Array.from(tokens, (_, id) => Number(types?.[id] ?? tokenTypes.normal)),
    scores: Array.from(tokens, (_, id) => Number(numbersOf(file, `${prefix}scores`)?.[id] ?? 0)),
    merges: merges && [...merges],
    role: (name) => integerOf(file, `${prefix}${name}_token_id`, [0, 2 ** 31]),
    flag,
    addBos: flag("add_bos_token") ?? (model === "llama" || addsBos(pre)),
    addEos: flag("add_eos_token") ?? model === "t5",
    charsmap: charsmap && Uint8Array.from(charsmap as ArrayLike<number>),
  };
}
