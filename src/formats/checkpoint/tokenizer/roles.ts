/** Which tokens have a role, and which go around a text. */
import { readAround } from "../../tokenizer/around.ts";
import type { Around } from "../../tokenizer/around.ts";
import { isObject } from "../json.ts";
import type { Json } from "../json.ts";
import type { Vocabulary } from "./vocabulary.ts";

export interface RoleSource {
  readonly vocabulary: Vocabulary;
  /** `tokenizer.json`, where there is one. */
  readonly json: Json;
  /** `tokenizer_config.json` over `special_tokens_map.json`. */
  readonly settings: Json;
  /** `config.json`, and `generation_config.json`. */
  readonly config: Json;
  readonly generation: Json;
  /** What the vocabulary's own file says. */
  readonly own?: Readonly<Record<string, number | undefined>> | undefined;
}

export interface RoleKeys {
  readonly roles: Readonly<Record<string, number | undefined>>;
  readonly flags: Readonly<Record<string, boolean | undefined>>;
}

/** Names of tokens that every engine takes for an end already. */
const knownEnds =
  /^(<\|eot_id\|>|<\|im_end\|>|<\|end\|>|<end_of_turn>|<\|endoftext\|>|<\/s>|<\|eom_id\|>|<\|end_of_text\|>)$/;

export function readRoles(source: RoleSource): RoleKeys {
  const { vocabulary, json, settings, config, own } = source;
  const { table, model } = vocabulary;
  const named = (role: string): number | undefined => table.find(nameOf(settings[`${role}_token`]));
  const byId = (role: string): number | undefined => idOf(config[`${role}_token_id`]);
  const around = readAround(json["post_processor"]);
  const [first, last] = [table.find(around.first), table.find(around.last)];
  const cls = named("cls");
  const sep = named("sep");
  const isEncoder = model === "bert" || (first !== undefined && first === cls);
  const bos = isEncoder ? (cls ?? first) : (named("bos") ?? byId("bos") ?? first ?? own?.["bos"]);
  const ends = endsOf(source);
  const eos = (isEncoder ? sep : undefined) ?? named("eos") ?? ends[0] ?? last ?? own?.["eos"];
  const further = ends.filter((id) => id !== eos && !knownEnds.test(table.at(id)?.text ?? ""));
  return {
    roles: {
      bos,
      eos,
      eot: further[0],
      eom: further[1],
      unknown: named("unk") ?? own?.["unknown"],
      seperator: sep,
      padding: named("pad") ?? byId("pad") ?? own?.["padding"],
      cls,
      mask: named("mask"),
    },
    flags: flagsOf(source, { around, isEncoder }),
  };
}

/** Ids that end an answer: those of the generation count first. */
function endsOf({ generation, config }: RoleSource): readonly number[] {
  const value = generation["eos_token_id"] ?? config["eos_token_id"];
  const ids = Array.isArray(value) ? (value as readonly unknown[]) : [value];
  return ids.map(idOf).filter((id) => id !== undefined);
}

function idOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : undefined;
}

/** `"<s>"`, or an object with its `content`. */
function nameOf(value: unknown): string | undefined {
  const name = isObject(value) ? value["content"] : value;
  return typeof name === "string" ? name : undefined;
}

function flagsOf(
  { vocabulary, settings, json }: RoleSource,
  { around, isEncoder }: { readonly around: Around; readonly isEncoder: boolean },
): RoleKeys["flags"] {
  // WordPiece always has its tokens around a text.
  if (vocabulary.model === "bert") return {};
  const setting = (name: string): boolean | undefined => {
    const value = settings[name];
    return typeof value === "boolean" ? value : undefined;
  };
  const isKnown = json["post_processor"] !== undefined && json["post_processor"] !== null;
  const byDefault = vocabulary.model === "llama" && !isKnown;
  return {
    add_bos_token: setting("add_bos_token") ?? (around.first !== undefined || byDefault),
    add_eos_token: setting("add_eos_token") ?? around.last !== undefined,
    ...(isEncoder && vocabulary.model === "gpt2" && { add_sep_token: around.last !== undefined }),
  };
}
