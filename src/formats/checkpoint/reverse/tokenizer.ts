/** `tokenizer.json` and its settings from the vocabulary of a GGUF file. */
import type { GgufFile } from "../../gguf/types.ts";
import type { Json } from "../json.ts";
import { makeTokenizer } from "./tokenizer-json.ts";
import { readSource } from "./vocabulary.ts";
import type { Source } from "./vocabulary.ts";

export interface RestoredTokenizer {
  /** Undefined: it cannot be said in this format; `problem` says why. */
  readonly tokenizer: Json | undefined;
  readonly problem?: string;
  /** `tokenizer_config.json` */
  readonly settings: Json;
  /** Of the chat template: name → text; `default` is the template. */
  readonly templates: ReadonlyMap<string, string>;
}

export function restoreTokenizer(file: GgufFile): RestoredTokenizer {
  const source = readSource(file);
  const made = makeTokenizer(source);
  return {
    ...(typeof made === "string" ? { tokenizer: undefined, problem: made } : { tokenizer: made }),
    settings: settingsOf(source),
    templates: templatesOf(file),
  };
}

const roleNames = {
  bos: "bos",
  eos: "eos",
  unknown: "unk",
  seperator: "sep",
  padding: "pad",
  cls: "cls",
  mask: "mask",
} as const;

function settingsOf({ model, tokens, role, addBos, addEos }: Source): Json {
  const roles = Object.entries(roleNames).flatMap(([name, short]): [string, string | undefined][] => {
    const id = role(name);
    // For WordPiece they are names of the separators only.
    if (id === undefined || (model === "bert" && (name === "bos" || name === "eos"))) return [];
    return [[`${short}_token`, tokens[id]]];
  });
  const flags = model === "bert" ? {} : { add_bos_token: addBos, add_eos_token: addEos };
  return { tokenizer_class: "PreTrainedTokenizerFast", ...Object.fromEntries(roles), ...flags };
}

function templatesOf(file: GgufFile): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const key = "tokenizer.chat_template";
  for (const [name, value] of file.metadata) {
    if (typeof value !== "string") continue;
    if (name === key) found.set("default", value);
    else if (name.startsWith(`${key}.`)) found.set(name.slice(key.length + 1), value);
  }
  return found;
}
