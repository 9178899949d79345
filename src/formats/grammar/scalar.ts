import { HearthError } from "../../error.ts";
import type { JsonSchema } from "../../spec/message.ts";
import { asCount, json, rule, unsupported } from "./context.ts";
import type { Context } from "./context.ts";
import { repeat } from "./gbnf.ts";
import { integerRange } from "./range.ts";
import { regexString } from "./regex.ts";

/** Formats of strings that can be spelled out, and the rules they use. */
const formats: Readonly<Record<string, { readonly body: string; readonly rules?: Readonly<Record<string, string>> }>> =
  {
    date: {
      body: "date",
      rules: { date: `[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])` },
    },
    time: {
      body: "time",
      rules: { time: `hour ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})? ("Z" | [-+] hour ":" [0-5] [0-9])` },
    },
    uuid: { body: "hex{8} [-] hex{4} [-] hex{4} [-] hex{4} [-] hex{12}", rules: { hex: "[0-9a-fA-F]" } },
    ipv4: {
      body: `octet "." octet "." octet "." octet`,
      rules: { octet: `"25" [0-5] | "2" [0-4] [0-9] | "1" [0-9] [0-9] | [1-9] [0-9] | [0-9]` },
    },
  };
const hour = `[01] [0-9] | "2" [0-3]`;

export function compileString(schema: JsonSchema, context: Context): string {
  const least = asCount(schema, "minLength", context);
  const most = asCount(schema, "maxLength", context);
  if (schema["pattern"] !== undefined) return compilePattern(schema, context);
  if (schema["format"] !== undefined) {
    if (least !== undefined || most !== undefined) throw unsupported("format", context, "not together with a length");
    return compileFormat(schema["format"], context);
  }
  if (least === undefined && most === undefined) return json(context, "string");
  if (most !== undefined && most < (least ?? 0)) throw unsupported("maxLength", context, "it is less than minLength");
  // An escaped surrogate pair counts as two here and as one for the schema; without escapes each is one character.
  const character = plainCharacter(context);
  return String.raw`"\"" ${repeat(character, least ?? 0, most)} "\""`;
}

function compilePattern(schema: JsonSchema, context: Context): string {
  const { pattern } = schema;
  if (typeof pattern !== "string") throw unsupported("pattern", context, "it must be a regular expression");
  for (const other of ["minLength", "maxLength", "format"]) {
    if (schema[other] !== undefined) throw unsupported("pattern", context, `not together with ${other}`);
  }
  try {
    return String.raw`"\"" ${rule(context, regexString(pattern))} "\""`;
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    throw unsupported("pattern", context, error.message.replace(/\.$/, ""));
  }
}

function plainCharacter({ rules }: Context): string {
  rules.set("plain", String.raw`[^"\\\x7F\x00-\x1F] | "\\" ["\\/bfnrt]`);
  return "plain";
}

function compileFormat(format: unknown, context: Context): string {
  const names = format === "date-time" ? ["date", "time"] : [String(format)];
  const known = names.map((name) => formats[name]);
  for (const entry of known) {
    if (!entry)
      throw unsupported(
        "format",
        context,
        `"${String(format)}" is none of date-time, ${Object.keys(formats).join(", ")}`,
      );
    for (const [name, body] of Object.entries(entry.rules ?? {})) context.rules.set(name, body);
  }
  if (names.includes("time")) context.rules.set("hour", hour);
  return String.raw`"\"" ${known.map((entry) => entry?.body ?? "").join(' "T" ')} "\""`;
}

export function compileInteger(schema: JsonSchema, context: Context): string {
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = boundsOf(schema, context);
  const from = Math.max(Math.ceil(minimum ?? -Infinity), Math.floor(exclusiveMinimum ?? -Infinity) + 1);
  const to = Math.min(Math.floor(maximum ?? Infinity), Math.ceil(exclusiveMaximum ?? Infinity) - 1);
  if (from > to) throw unsupported("minimum", context, "no integer lies between the bounds");
  if (from === -Infinity && to === Infinity) return json(context, "integer");
  return `(${integerRange(from, to)})`;
}

export function compileNumber(schema: JsonSchema, context: Context): string {
  const { minimum, ...others } = boundsOf(schema, context);
  const why = "for numbers with a fraction only minimum 0 is possible";
  for (const [keyword, value] of Object.entries(others)) {
    if (value !== undefined) throw unsupported(keyword, context, why);
  }
  if (minimum === undefined) return json(context, "number");
  if (minimum !== 0) throw unsupported("minimum", context, why);
  return `("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,17})?`;
}

type Bounds = {
  readonly [Name in "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum"]: number | undefined;
};

function boundsOf(schema: JsonSchema, context: Context): Bounds {
  const read = (keyword: string): number | undefined => {
    const value = schema[keyword];
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isFinite(value))
      throw unsupported(keyword, context, "it must be a number");
    return value;
  };
  return {
    minimum: read("minimum"),
    exclusiveMinimum: read("exclusiveMinimum"),
    maximum: read("maximum"),
    exclusiveMaximum: read("exclusiveMaximum"),
  };
}
