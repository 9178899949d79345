import { HearthError } from "../../error.ts";
import type { OutputFormat } from "../../spec/sampling.ts";
import { splitWords } from "./tokens.ts";

type Schema = Readonly<Record<string, unknown>>;

/** A reply in the format that was asked for: the text itself where it fits, else the smallest thing that does. */
export function toFormat(text: string, format: OutputFormat | undefined): string[] {
  if (format?.type === "json" && !isJson(text)) return splitWords(JSON.stringify({ text }));
  if (format?.type === "json-schema" && !isJson(text)) {
    return splitWords(JSON.stringify(sample(format.schema, "schema")));
  }
  return splitWords(text);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The smallest value of a schema. Fails closed like a real engine: on `not`, `if` and `patternProperties`. */
function sample(schema: Schema, path: string): unknown {
  for (const keyword of ["not", "if", "patternProperties"]) {
    if (keyword in schema) {
      throw new HearthError("grammar_invalid", `The schema keyword "${keyword}" at ${path} cannot be enforced.`, {
        details: { keyword, path },
      });
    }
  }
  if ("const" in schema) return schema["const"];
  if (Array.isArray(schema["enum"])) return schema["enum"][0];
  switch (schema["type"]) {
    case "object":
      return sampleObject(schema, path);
    case "array":
      return [];
    case "number":
    case "integer":
      return 0;
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return "text";
  }
}

function sampleObject(schema: Schema, path: string): unknown {
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  return Object.fromEntries(
    Object.entries(properties).map(([name, inner]) => [name, sample(inner, `${path}.properties.${name}`)]),
  );
}
