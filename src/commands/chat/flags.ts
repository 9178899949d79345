/** The flags of a conversation, the same for `hearth` and `hearth run`. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseInteger, parseText } from "../../config/values.ts";
import { HearthError } from "../../error.ts";
import type { OutputFormat } from "../../spec/sampling.ts";
import type { ChatRequest } from "../../spec/task.ts";
import type { ListRow, SwitchRow, ValueRow } from "../command.ts";
import { samplingFlags } from "./parameters.ts";
import { parseFile } from "./pictures.ts";

// A type, not an interface: only a type can be passed where a record is wanted.
export type ChatFlags = typeof samplingFlags & {
  readonly verbose: SwitchRow;
  readonly system: ValueRow<string>;
  readonly "max-tokens": ValueRow<number>;
  readonly stop: ListRow<string>;
  readonly format: ValueRow<OutputFormat>;
  readonly think: ValueRow<ChatRequest["think"]>;
  readonly hidethinking: SwitchRow;
  readonly adapter: ListRow<Adapter>;
  readonly image: ListRow<string>;
  readonly projector: ValueRow<string>;
};

export interface Adapter {
  readonly path: string;
  readonly scale?: number;
}

export const chatFlags: ChatFlags = {
  verbose: { kind: "switch", text: "report token counts and rates on stderr" },
  system: { kind: "value", value: "TEXT", text: "system message", parse: parseText },
  ...samplingFlags,
  "max-tokens": { kind: "value", value: "N", text: "longest answer, in tokens", parse: parseInteger },
  stop: { kind: "list", value: "TEXT", text: "end the answer before this text", parse: parseText },
  format: { kind: "value", value: "json|FILE", text: "answer in JSON, or by a JSON schema", parse: parseFormat },
  think: {
    kind: "value",
    value: "true|false|low|medium|high",
    text: "let the model reason first, or not, or how much",
    parse: parseThink,
    bare: "true",
  },
  hidethinking: { kind: "switch", text: "do not show the reasoning" },
  adapter: { kind: "list", value: "FILE[:SCALE]", text: "apply a LoRA adapter in GGUF", parse: parseAdapter },
  image: { kind: "list", value: "FILE", text: "show the model this picture with the first question", parse: parseFile },
  projector: {
    kind: "value",
    value: "FILE",
    text: "the mmproj file in GGUF with which the model sees; default: the one beside it",
    parse: parseFile,
  },
};

/** `json`, a JSON schema, or the path of a file with one. */
export function parseFormat(text: string, name: string): OutputFormat {
  if (text === "json") return { type: "json" };
  const json = text.trimStart().startsWith("{") ? text : readSchema(text, name);
  try {
    const schema: unknown = JSON.parse(json);
    if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) {
      return { type: "json-schema", schema: schema as Record<string, unknown> };
    }
  } catch (cause) {
    throw new HearthError("usage", `${name}: the schema is not valid JSON.`, { cause, hint: "" });
  }
  throw new HearthError("usage", `${name}: a JSON schema is an object.`, { hint: "" });
}

function readSchema(path: string, name: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new HearthError("usage", `${name} is "${path}", and no such file can be read.`, {
      cause,
      hint: "Give `json`, or the path of a file with a JSON schema.",
    });
  }
}

export function parseThink(text: string, name: string): ChatRequest["think"] {
  if (text === "true" || text === "on") return true;
  if (text === "false" || text === "off") return false;
  if (text === "low" || text === "medium" || text === "high") return text;
  throw new HearthError("usage", `${name} is "${text}"; it must be true, false, low, medium or high.`);
}

export function parseAdapter(text: string, name: string): Adapter {
  const match = /^(.+):(\d+(?:\.\d+)?)$/.exec(text);
  const path = resolve(match?.[1] ?? text);
  if (!existsSync(path)) throw new HearthError("usage", `${name} is "${text}", and there is no file ${path}.`);
  return match ? { path, scale: Number(match[2]) } : { path };
}
