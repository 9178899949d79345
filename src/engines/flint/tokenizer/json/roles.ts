import { readAround } from "../../../../formats/tokenizer/around.ts";
import type { Roles } from "../kinds.ts";
import type { Pieces } from "../pieces.ts";
import { isObject } from "./read.ts";
import type { Json } from "./read.ts";

export interface JsonRoles {
  readonly roles: Roles;
  readonly addBos: boolean;
  readonly addEos: boolean;
  readonly addSep: boolean;
}

export interface RoleSource {
  readonly file: Json;
  /** `tokenizer_config.json`. */
  readonly config: Json;
  readonly pieces: Pieces;
  readonly unk: number | undefined;
}

/** Roles of tokens from the post-processor, which puts them around a text, and from the configuration. */
export function readJsonRoles({ file, config, pieces, unk }: RoleSource): JsonRoles {
  const find = (text: string | undefined): number | undefined => {
    const id = text === undefined ? -1 : pieces.findText(text);
    return id < 0 ? undefined : id;
  };
  const named = (key: string): number | undefined => find(nameOf(config[key]));
  const around = readAround(file["post_processor"]);
  const [first, last] = [find(around.first), find(around.last)];
  const cls = named("cls_token");
  const sep = named("sep_token");
  const bos = named("bos_token") ?? first ?? cls;
  const eos = named("eos_token") ?? (last === sep ? undefined : last);
  const addSep = last !== undefined && last === sep && last !== eos;
  return {
    roles: {
      bos: first !== undefined && first === cls ? first : bos,
      eos,
      sep,
      cls,
      pad: named("pad_token"),
      unk: named("unk_token") ?? unk,
      mask: named("mask_token"),
    },
    addBos: flag(config["add_bos_token"]) ?? first !== undefined,
    addEos: flag(config["add_eos_token"]) ?? (last !== undefined && !addSep),
    addSep,
  };
}

function flag(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

/** `"<s>"`, or an object with its `content`. */
function nameOf(value: unknown): string | undefined {
  const name = isObject(value) ? value["content"] : value;
  return typeof name === "string" ? name : undefined;
}
