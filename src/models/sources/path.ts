import { createHash } from "node:crypto";
import { readdir, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { HearthError } from "../../error.ts";
import type { Format, InstalledModel, ModelFile } from "../../spec/model.ts";
import { splitParts } from "../gguf-file.ts";

type Detect = (path: string) => Promise<Format | undefined>;

/** Adopts a model file in place: nothing is copied or hashed. Throws `model_not_found` or `model_malformed`. */
export async function adoptPath(text: string, detect: Detect): Promise<InstalledModel> {
  const path = await findFile(expandHome(text), text);
  const parts = await partsOf(path);
  const format = await detect(path);
  if (format === undefined) {
    throw new HearthError(
      "model_malformed",
      `${text} is not a model file: it is neither GGUF, SafeTensors, ONNX nor TFLite.`,
    );
  }
  const files: ModelFile[] = [];
  let modifiedMs = 0;
  for (const part of parts) {
    const found = await stat(part);
    modifiedMs = Math.max(modifiedMs, found.mtimeMs);
    files.push({ role: "weights", name: basename(part), sizeBytes: found.size, path: part });
  }
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return {
    name: path,
    id: pathId(path, sizeBytes, modifiedMs),
    format,
    files,
    sizeBytes,
    origin: "path",
    source: path,
    modifiedAt: new Date(modifiedMs),
  };
}

/** Identity of files that were never hashed: it changes when they do. */
export function pathId(path: string, sizeBytes: number, modifiedMs: number): string {
  return createHash("sha256").update(`${path}\0${sizeBytes}\0${modifiedMs}`).digest("hex");
}

function expandHome(text: string): string {
  return resolve(/^~([/\\]|$)/.test(text) ? join(homedir(), text.slice(1)) : text);
}

/** The real path of a regular file; of a folder, the one model file in it. */
async function findFile(path: string, text: string): Promise<string> {
  let real: string;
  try {
    real = await realpath(path);
  } catch (error) {
    throw new HearthError("model_not_found", `There is no file ${text}.`, { cause: error, hint: "Check the path." });
  }
  const found = await stat(real);
  if (found.isFile()) return real;
  if (!found.isDirectory()) {
    throw new HearthError("model_malformed", `${text} is not a regular file.`, {
      hint: "Give the path of a model file.",
    });
  }
  const models = (await readdir(real)).filter((name) => /\.gguf$/i.test(name) && (splitParts(name)?.part ?? 1) === 1);
  if (models.length === 1 && models[0] !== undefined) return await findFile(join(real, models[0]), text);
  throw new HearthError("model_not_found", `${text} is a folder with ${models.length} GGUF models.`, {
    hint:
      models.length === 0 ? "Give the path of a model file." : `Name one of them: ${models.slice(0, 8).join(", ")}.`,
  });
}

/** All parts of a split GGUF, or the file itself. */
async function partsOf(path: string): Promise<readonly string[]> {
  const split = splitParts(basename(path));
  if (!split) return [path];
  if (split.part !== 1) {
    throw new HearthError("bad_request", `${basename(path)} is part ${split.part} of a model.`, {
      hint: `Give the path of its first part, ${split.names[0] ?? ""}.`,
    });
  }
  const folder = path.slice(0, -basename(path).length);
  const present = new Set(await readdir(folder));
  const missing = split.names.filter((name) => !present.has(name));
  if (missing.length > 0) {
    throw new HearthError("model_not_found", `Part ${missing[0] ?? ""} of the model is missing beside the others.`);
  }
  return split.names.map((name) => join(folder, name));
}
