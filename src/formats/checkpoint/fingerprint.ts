import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fingerprint } from "../gguf/fingerprint.ts";
import { readSafetensors } from "../safetensors/read.ts";
import { listCheckpoint, weightFiles } from "./files.ts";

/** What tells a checkpoint from every other: what its weights and its configuration say. See `formats/gguf/fingerprint.ts`. */
export function fingerprintCheckpoint(folder: string): string {
  const small = ["config.json", "tokenizer.json", "tokenizer.model", "vocab.txt"];
  return fingerprintFiles(folder, small, weightFiles(listCheckpoint(folder)).names);
}

/** SHA-256 over small files, those of them that are there, and over what tells files of weights apart. */
export function fingerprintFiles(folder: string, small: readonly string[], weights: readonly string[]): string {
  const { paths } = listCheckpoint(folder);
  const hash = createHash("sha256");
  for (const name of small) {
    const path = paths.get(name);
    if (path !== undefined) hash.update(name).update(readFileSync(path));
  }
  for (const name of weights) hash.update(name).update(fingerprintWeights(paths.get(name) ?? name));
  return hash.digest("hex");
}

function fingerprintWeights(path: string): string {
  const tensors = [...readSafetensors(path).tensors.values()];
  const first = tensors.reduce((least, { offset }) => Math.min(least, offset), Infinity);
  const dataOffset = Number.isFinite(first) ? first : 0;
  return fingerprint(path, {
    dataOffset,
    tensors: tensors.map(({ offset, sizeBytes }) => ({ offset: offset - dataOffset, sizeBytes })),
  });
}
