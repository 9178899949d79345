import type { JsonSchema } from "../../spec/message.ts";
import { asCount, at, isRecord, json, rule, unsupported } from "./context.ts";
import type { Context } from "./context.ts";
import { literal, repeat } from "./gbnf.ts";

/**
 * Declared properties in their order, the optional ones there or not. Others are allowed by most schemas and never
 * written: they could clash with a declared one. An object without declared properties may have any.
 */
export function compileObject(schema: JsonSchema, context: Context): string {
  const properties = schema["properties"] ?? {};
  if (!isRecord(properties)) throw unsupported("properties", context, "it must be an object of schemas");
  const required: unknown = schema["required"] ?? [];
  if (!isStrings(required)) throw unsupported("required", context, "it must be a list of names");
  checkNames(schema["propertyNames"], context);
  const names = [...new Set([...Object.keys(properties), ...required])];
  const ws = json(context, "ws");
  if (names.length === 0) return compileMap(schema["additionalProperties"] ?? true, context);
  const pairs = names.map((name) => {
    const value = context.compile(properties[name] ?? true, at(at(context, "properties"), name));
    const text = `${literal(JSON.stringify(name))} ":" ${ws} ${value}`;
    return { text, required: required.includes(name) };
  });
  return `"{" ${ws} ${pairsInOrder(pairs, context)} ${ws} "}"`;
}

function compileMap(extra: unknown, context: Context): string {
  const ws = json(context, "ws");
  if (extra === false) return `"{" ${ws} "}"`;
  const value = context.compile(extra, at(context, "additionalProperties"));
  const pair = rule(context, `${json(context, "string")} ":" ${ws} ${value}`);
  return `"{" ${ws} (${pair} ("," ${ws} ${pair})*)? ${ws} "}"`;
}

/** Built from the end: what may follow when nothing was written yet, and when something was. */
function pairsInOrder(pairs: readonly { text: string; required: boolean }[], context: Context): string {
  const nothing = '""';
  let begin = nothing;
  let go = nothing;
  for (const pair of pairs.toReversed()) {
    const name = rule(context, pair.text);
    const begun = `${name} ${go}`;
    const next = `"," ws ${name} ${go}`;
    begin = rule(context, pair.required ? begun : `${begun} | ${begin}`);
    go = rule(context, pair.required ? next : `${next} | ${go}`);
  }
  return begin;
}

/** Every name of a JSON object is a string; anything narrower cannot be enforced. */
function checkNames(names: unknown, context: Context): void {
  if (names === undefined || names === true) return;
  const only = isRecord(names) && Object.entries(names).every(([key, value]) => key === "type" && value === "string");
  if (!only) throw unsupported("propertyNames", context);
}

export function compileArray(schema: JsonSchema, context: Context): string {
  if (schema["uniqueItems"] === true) throw unsupported("uniqueItems", context);
  if (schema["prefixItems"] !== undefined) return compileTuple(schema["prefixItems"], schema, context);
  const least = asCount(schema, "minItems", context) ?? 0;
  const most = asCount(schema, "maxItems", context);
  const items = schema["items"] ?? true;
  if (most !== undefined && most < least) throw unsupported("maxItems", context, "it is less than minItems");
  const ws = json(context, "ws");
  if (items === false && least > 0) throw unsupported("minItems", context, "items is false");
  if (items === false || most === 0) return `"[" ${ws} "]"`;
  const item = rule(context, context.compile(items, at(context, "items")));
  const more = repeat(`("," ${ws} ${item})`, Math.max(0, least - 1), most === undefined ? undefined : most - 1);
  const list = `${item} ${more}`;
  return `"[" ${ws} ${least > 0 ? list : `(${list})?`} ${ws} "]"`;
}

/** All the places filled, and nothing behind them. */
function compileTuple(prefix: unknown, schema: JsonSchema, context: Context): string {
  if (!Array.isArray(prefix) || prefix.length === 0) {
    throw unsupported("prefixItems", context, "it must be a list of schemas");
  }
  const least = asCount(schema, "minItems", context) ?? 0;
  const most = asCount(schema, "maxItems", context) ?? prefix.length;
  if (least > prefix.length) throw unsupported("minItems", context, "it is more than prefixItems has");
  if (most < prefix.length) throw unsupported("maxItems", context, "it is less than prefixItems has");
  const ws = json(context, "ws");
  const places = prefix.map((item, index) => context.compile(item, at(at(context, "prefixItems"), String(index))));
  return `"[" ${ws} ${places.join(` "," ${ws} `)} ${ws} "]"`;
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
