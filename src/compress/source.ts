/** Where the weights come from that are made smaller: GGUF files, or a checkpoint's folder, which reads as one. */
import { closeSync, openSync, readSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { HearthError } from "../error.ts";
import type { GgufTypedValue } from "../formats/gguf/encode.ts";
import { readGguf } from "../formats/gguf/read.ts";
import { typedMetadata } from "../formats/gguf/typed.ts";
import type { GgufFile } from "../formats/gguf/types.ts";
import { checkpointFolder } from "../formats/model.ts";
import { splitParts } from "../models/gguf-file.ts";

export interface WeightSource {
  /** The header, with the tensors of all files; their offsets are those that `WeightData` knows. */
  readonly file: GgufFile;
  readonly metadata: Readonly<Record<string, GgufTypedValue>>;
}

/** The bytes of the tensors. */
export interface WeightData {
  /** Fills `target` with the data from `offset` on. Throws `model_malformed` where it ends before. */
  readonly read: (offset: number, target: Uint8Array) => void;
  readonly close: () => void;
}

/** Names all files of a model of which one file, the first of several, or a folder is given. */
export interface SourcePath {
  readonly path: string;
  /** Where the data of each file begins, and how much there is. Absent for a folder. */
  readonly parts?: readonly DataPart[];
}

interface DataPart {
  readonly path: string;
  readonly dataOffset: number;
  readonly dataBytes: number;
}

/** Throws what the readers of the formats throw. */
export async function openSource(path: string): Promise<WeightSource & { readonly source: SourcePath }> {
  const folder = checkpointFolder(path);
  if (folder !== undefined) return await openFolder(folder);
  const files = await Promise.all(partPaths(path).map((part) => readGguf(part)));
  const parts = files.map(({ dataOffset, fileBytes }, index): DataPart => ({
    path: partPaths(path)[index] ?? path,
    dataOffset,
    dataBytes: fileBytes - dataOffset,
  }));
  const [first] = files;
  if (!first) throw new RangeError("no file");
  let before = 0;
  const tensors = files.flatMap((file, index) => {
    const start = before;
    before += parts[index]?.dataBytes ?? 0;
    return file.tensors.map((tensor) => ({ ...tensor, offset: tensor.offset + start }));
  });
  return { file: { ...first, tensors }, metadata: typedMetadata(first), source: { path, parts } };
}

async function openFolder(path: string): Promise<WeightSource & { readonly source: SourcePath }> {
  // Most sources are GGUF files: they do without this code.
  const { openCheckpoint } = await import("../formats/checkpoint/open.ts");
  const { file, metadata, close } = openCheckpoint(path);
  close();
  return { file, metadata, source: { path } };
}

function partPaths(path: string): string[] {
  const split = splitParts(basename(path));
  if (!split) return [path];
  if (split.part === 1) return split.names.map((name) => join(dirname(path), name));
  throw new HearthError("bad_request", `${basename(path)} is part ${split.part} of a model.`, {
    hint: `Give the path of its first part, ${split.names[0] ?? ""}.`,
  });
}

/** Opens the data again, in any thread. */
export async function openData({ path, parts }: SourcePath): Promise<WeightData> {
  if (!parts) return (await import("../formats/checkpoint/open.ts")).openCheckpointData(path);
  const opened = parts.map((part) => ({ ...part, descriptor: openSync(part.path, "r") }));
  return {
    read(offset, target) {
      let at = offset;
      for (const part of opened) {
        if (at < part.dataBytes) return readAll(part, at, target);
        at -= part.dataBytes;
      }
      throw new RangeError(`no data at ${offset}`);
    },
    close() {
      for (const { descriptor } of opened) closeSync(descriptor);
    },
  };
}

interface OpenPart extends DataPart {
  readonly descriptor: number;
}

function readAll({ descriptor, dataOffset, path }: OpenPart, offset: number, target: Uint8Array): void {
  for (let done = 0; done < target.length;) {
    const count = readSync(descriptor, target, done, target.length - done, dataOffset + offset + done);
    if (count === 0) {
      throw new HearthError("model_malformed", `${path} ends before its tensors do.`, {
        hint: "Fetch it again: `hearth verify` tells what is damaged.",
      });
    }
    done += count;
  }
}
