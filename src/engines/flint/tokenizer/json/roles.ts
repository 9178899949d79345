import type { Roles } from "../kinds.ts";
import type { Pieces } from "../pieces.ts";
import { isObject, listOf } from "./read.ts";
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
  const around = readTemplate(file["post_processor"]);
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

interface Around {
  readonly first: string | undefined;
  readonly last: string | undefined;
}

const nothing: Around = { first: undefined, last: undefined };

/** The tokens that are put before and behind a single text. */
function readTemplate(value: unknown): Around {
  if (!isObject(value)) return nothing;
  switch (value["type"]) {
    case "Sequence":
      return listOf(value["processors"], "post_processor")
        .map(readTemplate)
        .reduce((all, each) => ({ first: all.first ?? each.first, last: all.last ?? each.last }), nothing);
    case "BertProcessing":
    case "RobertaProcessing":
      return { first: pairName(value["cls"]), last: pairName(value["sep"]) };
    case "TemplateProcessing": {
      const items = listOf(value["single"], "post_processor");
      const text = items.findIndex((item) => isObject(item) && item["Sequence"] !== undefined);
      return { first: templateName(items[text - 1]), last: templateName(items[text + 1]) };
    }
    default:
      return nothing;
  }
}

function templateName(item: unknown): string | undefined {
  const special = isObject(item) ? item["SpecialToken"] : undefined;
  return isObject(special) && typeof special["id"] === "string" ? special["id"] : undefined;
}

function pairName(value: unknown): string | undefined {
  const [name] = Array.isArray(value) ? (value as readonly unknown[]) : [];
  return typeof name === "string" ? name : undefined;
}
