import { HearthError } from "../../error.ts";
import type { JsonSchema } from "../../spec/message.ts";
import { addJsonRule } from "./gbnf.ts";

/** The grammar being written, and where in the schema we are. */
export interface Context {
  readonly root: JsonSchema;
  readonly rules: Map<string, string>;
  /** `$ref` → name of its rule. */
  readonly references: Map<string, string>;
  readonly path: string;
  /** Schemas around this one. */
  readonly depth: number;
  /** Writes the grammar of an inner schema; the result can stand in a sequence. */
  compile(schema: unknown, context: Context): string;
}

/** Keywords that say nothing about which values are valid. */
const annotations: ReadonlySet<string> = new Set(
  `title description default examples example deprecated readOnly writeOnly nullable $schema $id $anchor $comment $defs
  definitions`.split(/\s+/),
);

export function at(context: Context, step: string): Context {
  const path = `${context.path}/${step.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return { ...context, path };
}

/** A new rule; a body that is a rule already stays what it is. */
export function rule(context: Context, body: string): string {
  if (/^[a-z]+\d*$/.test(body)) return body;
  const name = `part${context.rules.size}`;
  context.rules.set(name, body);
  return name;
}

/** One of the rules every JSON grammar shares. */
export function json(context: Context, name: string): string {
  addJsonRule(context.rules, name);
  return name;
}

export function choice(options: readonly string[]): string {
  return options.length === 1 ? (options[0] ?? "") : `(${options.join(" | ")})`;
}

/** Refuses every keyword that is neither listed nor a mere annotation: what is not enforced is not promised. */
export function allow(schema: JsonSchema, context: Context, keywords: readonly string[]): void {
  for (const keyword of Object.keys(schema)) {
    if (schema[keyword] === undefined || keywords.includes(keyword)) continue;
    if (annotations.has(keyword) || keyword.startsWith("x-")) continue;
    throw unsupported(keyword, context);
  }
}

export function unsupported(keyword: string, { path }: Context, why?: string): HearthError {
  const reason = why === undefined ? "" : `: ${why}`;
  return new HearthError("grammar_invalid", `The schema keyword "${keyword}" at ${path} cannot be enforced${reason}.`, {
    hint: "Leave the keyword out and check the value yourself, or say it another way.",
    details: { keyword, path },
  });
}

export function invalid({ path }: Context, why: string): HearthError {
  return new HearthError("grammar_invalid", `The schema at ${path} ${why}.`, { details: { path } });
}

/** Types that a schema asks for, by `type` or by keywords that only make sense for one; undefined: any. */
export function typesOf(schema: JsonSchema, context: Context): readonly string[] | undefined {
  const type = schema["type"];
  if (typeof type === "string") return [type];
  if (Array.isArray(type)) {
    const names = type.filter((name): name is string => typeof name === "string");
    if (names.length === 0 || names.length !== type.length) throw unsupported("type", context, "it must name types");
    return names;
  }
  if (type !== undefined) throw unsupported("type", context, "it must name a type");
  for (const [name, keywords] of Object.entries(typeKeywords)) {
    if (keywords.some((keyword) => keyword in schema)) return [name];
  }
  return undefined;
}

/** What each type may be restricted by. */
export const typeKeywords: Readonly<Record<string, readonly string[]>> = {
  object: ["properties", "required", "additionalProperties", "propertyNames"],
  array: ["items", "prefixItems", "minItems", "maxItems", "uniqueItems"],
  string: ["minLength", "maxLength", "format", "pattern"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  integer: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
};

const maxRepeat = 1000;

/** A count that llama.cpp can repeat a rule by. */
export function asCount(schema: JsonSchema, keyword: string, context: Context): number | undefined {
  const value = schema[keyword];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw unsupported(keyword, context, "it must be a count");
  }
  if (value > maxRepeat) throw unsupported(keyword, context, `it is ${value}; at most ${maxRepeat} is possible`);
  return value;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
