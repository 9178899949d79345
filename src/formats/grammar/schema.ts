import { HearthError } from "../../error.ts";
import type { JsonSchema } from "../../spec/message.ts";
import { allow, at, choice, invalid, isRecord, json, typeKeywords, typesOf, unsupported } from "./context.ts";
import type { Context } from "./context.ts";
import { literal, writeRules } from "./gbnf.ts";
import { compileArray, compileObject } from "./object.ts";
import { compileInteger, compileNumber, compileString } from "./scalar.ts";

const maxDepth = 64;
const maxBytes = 256 * 1024;

/**
 * A grammar whose every text is valid under the schema. It may allow less than the schema does: properties come in the
 * schema's order, and an object with declared properties gets no others. A keyword that cannot be enforced is
 * `grammar_invalid` with {keyword, path}; so is a schema over 256 KiB or nested deeper than 64 levels.
 */
export function schemaGrammar(schema: JsonSchema): string {
  checkSize(schema);
  const rules = new Map<string, string>();
  const root = compile(schema, { root: schema, rules, references: new Map(), path: "#", depth: 0, compile });
  return writeRules(root, rules);
}

function checkSize(schema: JsonSchema): void {
  const stack: { value: unknown; depth: number }[] = [{ value: schema, depth: 0 }];
  for (let next = stack.pop(); next; next = stack.pop()) {
    const { value, depth } = next;
    if (typeof value !== "object" || value === null) continue;
    // Guards what recurses below; a level of the schema takes up to two of JSON: `properties` and the property.
    if (depth > 2 * maxDepth) throw tooMuch(`is nested deeper than ${maxDepth} levels`);
    for (const inner of Object.values(value)) stack.push({ value: inner, depth: depth + 1 });
  }
  const size = new TextEncoder().encode(JSON.stringify(schema)).length;
  if (size > maxBytes) throw tooMuch(`has ${size} bytes; at most ${maxBytes} are possible`);
}

function tooMuch(what: string): HearthError {
  return new HearthError("grammar_invalid", `The schema ${what}.`, { details: { path: "#" } });
}

function compile(schema: unknown, outer: Context): string {
  const context = { ...outer, depth: outer.depth + 1 };
  if (context.depth > maxDepth) throw invalid(context, `is nested deeper than ${maxDepth} levels`);
  if (schema === true) return json(context, "value");
  if (!isRecord(schema)) throw invalid(context, "is no schema that a value can match");
  if ("$ref" in schema) return compileReference(schema, context);
  if ("const" in schema) return compileEnum([schema["const"]], schema, context);
  if ("enum" in schema) return compileEnum(schema["enum"], schema, context);
  if ("anyOf" in schema) return compileAlternatives("anyOf", schema, context);
  if ("oneOf" in schema) return compileAlternatives("oneOf", schema, context);
  if ("allOf" in schema) return compileAll(schema, context);
  const types = typesOf(schema, context);
  allow(schema, context, ["type", ...(types ?? []).flatMap((type) => typeKeywords[type] ?? [])]);
  return types ? choice(types.map((type) => compileType(type, schema, context))) : json(context, "value");
}

function compileType(type: string, schema: JsonSchema, context: Context): string {
  switch (type) {
    case "object":
      return compileObject(schema, context);
    case "array":
      return compileArray(schema, context);
    case "string":
      return compileString(schema, context);
    case "integer":
      return compileInteger(schema, context);
    case "number":
      return compileNumber(schema, context);
    case "boolean":
    case "null":
      return json(context, type);
    default:
      throw unsupported("type", context, `"${type}" is no JSON type`);
  }
}

function compileEnum(values: unknown, schema: JsonSchema, context: Context): string {
  allow(schema, context, ["const", "enum", "type"]);
  if (!Array.isArray(values) || values.length === 0)
    throw unsupported("enum", context, "it must be a list with values");
  const types = schema["type"] === undefined ? undefined : typesOf(schema, context);
  const fitting = types ? values.filter((value) => types.some((type) => isOfType(value, type))) : values;
  if (fitting.length === 0) throw unsupported("enum", context, "no value is of the type that the schema asks for");
  return choice(fitting.map((value) => literal(JSON.stringify(value))));
}

function isOfType(value: unknown, type: string): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isRecord(value);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

/** `anyOf` is a choice. `oneOf` is one only where no value fits two of its schemas. */
function compileAlternatives(keyword: "anyOf" | "oneOf", schema: JsonSchema, context: Context): string {
  allow(schema, context, [keyword, "type"]);
  const options = schema[keyword];
  if (!Array.isArray(options) || options.length === 0)
    throw unsupported(keyword, context, "it must be a list of schemas");
  if (schema["type"] !== undefined && !options.every((option) => isRecord(option) && "type" in option)) {
    throw unsupported("type", context, `put it into each schema of ${keyword}`);
  }
  if (keyword === "oneOf" && !areDisjoint(options)) {
    throw unsupported(keyword, context, "a value might fit two of its schemas; use anyOf");
  }
  return choice(options.map((option, index) => context.compile(option, at(at(context, keyword), String(index)))));
}

/** Schemas that differ in type, in their constant, or in the constant of a property that all of them require. */
function areDisjoint(options: readonly unknown[]): boolean {
  const schemas = options.filter(isRecord);
  if (schemas.length !== options.length) return false;
  if (areDistinct(schemas.map(({ type }) => (type === "integer" ? "number" : type)))) return true;
  if (areDistinct(schemas.map(constantOf))) return true;
  const properties = schemas[0]?.["properties"];
  const names = isRecord(properties) ? Object.keys(properties) : [];
  return names.some((name) => areDistinct(schemas.map((schema) => requiredConstant(schema, name))));
}

function requiredConstant({ required, properties }: JsonSchema, name: string): string | undefined {
  if (!Array.isArray(required) || !required.includes(name) || !isRecord(properties)) return undefined;
  return constantOf(properties[name]);
}

function constantOf(schema: unknown): string | undefined {
  if (!isRecord(schema)) return undefined;
  const values: unknown = "const" in schema ? [schema["const"]] : schema["enum"];
  return Array.isArray(values) && values.length === 1 ? JSON.stringify(values[0]) : undefined;
}

function areDistinct(values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === "string") && new Set(values).size === values.length;
}

function compileAll(schema: JsonSchema, context: Context): string {
  allow(schema, context, ["allOf"]);
  const parts = schema["allOf"];
  if (!Array.isArray(parts) || parts.length !== 1) throw unsupported("allOf", context, "only one schema is possible");
  return context.compile(parts[0], at(at(context, "allOf"), "0"));
}

function compileReference(schema: JsonSchema, context: Context): string {
  allow(schema, context, ["$ref"]);
  const reference = schema["$ref"];
  if (typeof reference !== "string") throw unsupported("$ref", context, "it must be a string");
  const known = context.references.get(reference);
  if (known !== undefined) return known;
  const target = lookUp(reference, context);
  const name = `ref${context.references.size}`;
  context.references.set(reference, name);
  const body = context.compile(target, { ...context, path: reference });
  context.rules.set(name, body);
  return name;
}

/** Follows a JSON pointer inside the schema. */
function lookUp(reference: string, context: Context): unknown {
  if (reference !== "#" && !reference.startsWith("#/")) throw unsupported("$ref", context, "only #/… is possible");
  let value: unknown = context.root;
  for (const step of reference.split("/").slice(1)) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    value = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }
  if (value === undefined) throw unsupported("$ref", context, `there is no ${reference}`);
  return value;
}
