import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { HearthError } from "../../error.ts";
import { parseShardIndex } from "../safetensors/index-file.ts";
import type { ShardIndex } from "../safetensors/index-file.ts";
import { readJsonFile } from "./json.ts";

/** The files of a checkpoint: names inside it, such as `config.json` and `1_Pooling/config.json`, and where they are. */
export interface CheckpointFiles {
  /** What messages call the checkpoint. */
  readonly name: string;
  readonly paths: ReadonlyMap<string, string>;
}

/** Lists a folder and its folders, not deeper. Throws `model_not_found`. */
export function listCheckpoint(folder: string, name: string = basename(folder)): CheckpointFiles {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new HearthError("model_not_found", `There is no folder ${folder}.`, { hint: "Check the path." });
  }
  const paths = new Map<string, string>();
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isFile()) paths.set(entry, path);
    if (!found?.isDirectory()) continue;
    for (const inner of readdirSync(path, { withFileTypes: true })) {
      if (inner.isFile() || inner.isSymbolicLink()) paths.set(`${entry}/${inner.name}`, join(path, inner.name));
    }
  }
  return { name, paths };
}

const indexName = "model.safetensors.index.json";
const pickle = /\.(bin|pt|pth|ckpt|pkl|pickle)$/i;
const shardName = /^(.*)-(\d{5})-of-(\d{5})\.safetensors$/;

export interface WeightFiles {
  /** Names of the files, in order. */
  readonly names: readonly string[];
  /** Where the checkpoint says which tensor is in which file. */
  readonly index?: ShardIndex;
}

/**
 * Which files hold the weights. Throws `model_malformed` where shards are missing, `model_unsupported` where the weights are
 * pickles, which are never opened, and where it cannot be told which of several files is meant.
 */
export function weightFiles({ name, paths }: CheckpointFiles): WeightFiles {
  const indexPath = paths.get(indexName);
  if (indexPath !== undefined) {
    const index = parseShardIndex(readJsonFile(indexPath, indexName), indexName);
    const names = [...new Set(index.values())].toSorted();
    checkComplete(name, names, paths);
    return { names, index };
  }
  const candidates = chooseWeights([...paths.keys()]);
  if (candidates.length === 0) throw noWeights(name, [...paths.keys()]);
  const sets = new Set(candidates.map((file) => shardName.exec(file)?.[1] ?? file));
  if (sets.size > 1) {
    throw new HearthError("model_unsupported", `${name} has several sets of weights: ${candidates.join(", ")}.`, {
      hint: `Keep one of them in the folder, or name it model.safetensors.`,
    });
  }
  const count = Number(shardName.exec(candidates[0] ?? "")?.[3] ?? 1);
  if (count === 1) return { names: candidates };
  const names = Array.from({ length: count }, (_, part) => shardOf(candidates[0] ?? "", part + 1));
  checkComplete(name, names, paths);
  return { names };
}

/** Of the names of files in a checkpoint's folder those that hold its weights, as far as names tell. */
export function chooseWeights(names: readonly string[]): readonly string[] {
  if (names.includes("model.safetensors")) return ["model.safetensors"];
  const all = names.filter((file) => /^[^/]+\.safetensors$/.test(file) && !/^(adapter_|consolidated)/.test(file));
  const shards = all.filter((file) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(file));
  return (shards.length > 0 ? shards : all).toSorted();
}

function shardOf(example: string, part: number): string {
  return example.replace(/-\d{5}-of-/, `-${String(part).padStart(5, "0")}-of-`);
}

function checkComplete(name: string, names: readonly string[], paths: CheckpointFiles["paths"]): void {
  const missing = names.filter((file) => !paths.has(file));
  if (missing.length === 0) return;
  const few = `${missing.slice(0, 4).join(", ")}${missing.length > 4 ? " …" : ""}`;
  throw new HearthError(
    "model_malformed",
    `${name} lacks ${missing.length} of the ${names.length} files of its weights: ${few}.`,
    { hint: "Fetch them into the same folder; an interrupted download is the usual cause.", details: { field: few } },
  );
}

function noWeights(name: string, names: readonly string[]): HearthError {
  const found = names.find((file) => pickle.test(file));
  if (found === undefined) {
    return new HearthError("model_not_found", `${name} has no *.safetensors.`, {
      hint: "Give a folder with config.json and SafeTensors weights, or the path of a GGUF file.",
    });
  }
  return new HearthError("model_unsupported", `${name} has its weights in ${found}, which is a Python pickle.`, {
    hint: "Pickles run programs when they are opened, so hearth never opens them. Look for the model as SafeTensors or GGUF.",
    details: { field: found },
  });
}
