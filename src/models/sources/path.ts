import { createHash } from "node:crypto";
import { readdir, realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { HearthError } from "../../error.ts";
import type { Format, InstalledModel, ModelFile } from "../../spec/model.ts";
import { listCheckpoint } from "../../formats/checkpoint/files.ts";
import { checkpointFiles, findPickle } from "../checkpoint-files.ts";
import { chooseProjector, isOneModel, isSideFile, splitParts } from "../gguf-file.ts";
import { onnxAround, onnxWeights } from "../onnx-around.ts";
import { speechAround, speechWeights } from "../speech-files.ts";
import { roleOfFile } from "./source.ts";

type Detect = (path: string) => Promise<Format | undefined>;

/**
 * Adopts a model file in place, or the folder of a checkpoint: nothing is copied or hashed. Throws `model_not_found` or
 * `model_malformed`.
 */
export async function adoptPath(text: string, detect: Detect): Promise<InstalledModel> {
  const path = await findFile(expandHome(text), text);
  const format = await detect(path);
  const together =
    format === "safetensors"
      ? await checkpointAround(path)
      : format === "onnx"
        ? (speechAround(path) ?? onnxAround(path))
        : undefined;
  const parts = together ?? (await partsOf(path)).map((part) => ({ name: basename(part), path: part }));
  if (format === undefined) {
    throw new HearthError(
      "model_malformed",
      `${text} is not a model file: it is neither GGUF, SafeTensors, ONNX nor TFLite.`,
    );
  }
  const projector = format === "gguf" ? await projectorBeside(path) : undefined;
  const files: ModelFile[] = [];
  let modifiedMs = 0;
  for (const part of projector ? [...parts, projector] : parts) {
    const found = await stat(part.path);
    modifiedMs = Math.max(modifiedMs, found.mtimeMs);
    const role = part === projector ? "projector" : together ? roleOfFile(part.name) : "weights";
    files.push({ role, sizeBytes: found.size, ...part });
  }
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return {
    name: together ? dirname(path).replace(/[\\/]onnx$/, "") : path,
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
  // Files that belong together are links in some stores, and find each other by the names of the links.
  if (found.isFile()) return /\.(safetensors|onnx)$/i.test(path) ? path : real;
  if (!found.isDirectory()) {
    throw new HearthError("model_malformed", `${text} is not a regular file.`, {
      hint: "Give the path of a model file.",
    });
  }
  const names = await readdir(real);
  const models = names.filter(
    (name) => /\.gguf$/i.test(name) && !isSideFile(name) && (splitParts(name)?.part ?? 1) === 1,
  );
  const [weights] = checkpointFiles(names) ?? [];
  if (models.length === 0 && weights !== undefined) return join(real, weights);
  const speech = models.length === 0 ? speechWeights(names) : undefined;
  if (speech !== undefined) return join(real, speech);
  const onnx = models.length === 0 ? onnxWeights(real) : undefined;
  if (onnx !== undefined) return join(real, onnx);
  const pickle = findPickle(names);
  if (models.length === 0 && pickle !== undefined) throw isPickle(text, pickle);
  if (models.length === 1 && models[0] !== undefined) return await findFile(join(real, models[0]), text);
  throw new HearthError("model_not_found", `${text} is a folder with ${models.length} GGUF models.`, {
    hint:
      models.length === 0 ? "Give the path of a model file." : `Name one of them: ${models.slice(0, 8).join(", ")}.`,
  });
}

function isPickle(text: string, name: string): HearthError {
  return new HearthError("model_unsupported", `${text} has its weights in ${name}, which is a Python pickle.`, {
    hint: "Pickles run programs when they are opened, so hearth never opens them. Look for the model as SafeTensors or GGUF.",
  });
}

interface NamedPath {
  readonly name: string;
  readonly path: string;
}

/** All files of the checkpoint that a file of weights belongs to; undefined: it stands alone. */
async function checkpointAround(path: string): Promise<readonly NamedPath[] | undefined> {
  const folder = dirname(path);
  const names = [...listCheckpoint(folder).paths.keys()];
  const together = checkpointFiles(names);
  return together?.includes(basename(path)) ? together.map((name) => ({ name, path: join(folder, name) })) : undefined;
}

/** The one projector in a folder that holds one model: between several models nothing says whose it is. */
async function projectorBeside(path: string): Promise<NamedPath | undefined> {
  const folder = dirname(path);
  const names = (await readdir(folder)).filter((name) => /\.gguf$/i.test(name));
  const projectors = names.filter((name) => chooseProjector([name]) !== undefined);
  const [name] = projectors;
  if (name === undefined || projectors.length > 1 || name === basename(path)) return undefined;
  if (!isOneModel(names.filter((other) => !isSideFile(other)))) return undefined;
  return { name, path: join(folder, name) };
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
