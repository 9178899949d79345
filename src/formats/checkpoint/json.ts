import { readFileSync, statSync } from "node:fs";
import { HearthError } from "../../error.ts";
import { printable } from "../gguf/malformed.ts";

/** An object of a JSON file. */
export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The largest files of tokenizers known take about 35 MB. */
const mostBytes = 128 * 1024 ** 2;

/** The one error for what a file of a checkpoint says wrongly; details {field}. */
export function malformed(file: string, field: string, problem: string, hint?: string): HearthError {
  const shown = printable(field);
  return new HearthError("model_malformed", `${file}: ${shown} ${problem}.`, {
    ...(hint !== undefined && { hint }),
    details: { file, field: shown },
  });
}

/** What a file asks for and we do not have; details {field}. */
export function unsupported(file: string, field: string, problem: string, hint?: string): HearthError {
  const shown = printable(field);
  return new HearthError("model_unsupported", `${file}: ${shown} ${problem}.`, {
    hint: hint ?? "Look for the model as GGUF; the llama engine knows more kinds.",
    details: { file, field: shown },
  });
}

/** The text of a small file. Throws `model_malformed` where it is larger than any real one. */
export function readText(path: string, name: string): string {
  const { size } = statSync(path);
  if (size > mostBytes) throw malformed(name, "size", `is ${size} bytes; at most ${mostBytes} are read`);
  return readFileSync(path, "utf8");
}

/** Parses a JSON file. Throws `model_malformed` for anything but an object. */
export function readJsonFile(path: string, name: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(readText(path, name).replace(/^\uFEFF/, ""));
  } catch (error) {
    if (error instanceof HearthError) throw error;
    throw new HearthError("model_malformed", `${name} is not JSON: ${printable((error as Error).message)}`, {
      cause: error,
      details: { file: name },
    });
  }
  if (!isObject(value)) throw new HearthError("model_malformed", `${name} holds no JSON object.`);
  return value;
}

/** A value as messages show it. */
export function shown(value: unknown): string {
  return printable(JSON.stringify(value) ?? String(value), 60);
}
