/** The files of a model on disk: one .onnx file, or the folder that transformers.js knows. */
import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { HearthError } from "../../error.ts";
import { readOnnx } from "../../formats/onnx/read.ts";

export type Config = Readonly<Record<string, unknown>>;

/** The folder whose files belong together: that above a folder `onnx`. */
export function modelFolder(path: string): string {
  const folder = dirname(path);
  return basename(folder) === "onnx" ? dirname(folder) : folder;
}

/** JSON files are far smaller; a tokenizer of 256,000 words takes 35 MB. */
const mostBytes = 128 * 1024 ** 2;

/** An object in a JSON file; undefined: there is no such file. Throws `model_malformed`. */
export function readConfig(folder: string, name: string): Config | undefined {
  const path = join(folder, name);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile()) return undefined;
  if (found.size > mostBytes) throw malformed(name, `has ${found.size} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw malformed(name, "is not JSON", error);
  }
  if (!isConfig(value)) throw malformed(name, "holds no object");
  return value;
}

export function isConfig(value: unknown): value is Config {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(name: string, problem: string, cause?: unknown): HearthError {
  return new HearthError("model_malformed", `${name} ${problem}.`, { details: { field: name }, cause });
}

/** All checks before native code sees a file. */
export function checkFiles(paths: readonly string[]): void {
  for (const path of paths) readOnnx(path);
}
