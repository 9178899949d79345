import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { GgufFile, GgufTensor } from "./types.ts";

interface Layout extends Pick<GgufFile, "dataOffset"> {
  readonly tensors: readonly Pick<GgufTensor, "offset" | "sizeBytes">[];
}
type Range = readonly [offset: number, bytes: number];

/** Files up to this size are read whole. */
const wholeBytes = 8 * 1024 ** 2;
const sampleBytes = 1024;
const pieceBytes = 1024 ** 2;

/**
 * What tells a model file from every other: SHA-256 over its size, its whole header, the start, middle and end of every
 * tensor, and its time of change, for what lies between them; for a small file over its size and all of it. Throws where
 * the file cannot be read.
 */
export function fingerprint(path: string, layout: Layout): string {
  const descriptor = openSync(path, "r");
  try {
    const { size, mtimeMs } = fstatSync(descriptor);
    const whole = size <= wholeBytes;
    const hash = createHash("sha256").update(JSON.stringify(whole ? [size] : [size, mtimeMs]));
    const buffer = Buffer.allocUnsafe(pieceBytes);
    for (const range of whole ? [[0, size] as const] : samples(layout)) addRange(hash, { descriptor, buffer, range });
    return hash.digest("hex");
  } finally {
    closeSync(descriptor);
  }
}

function samples({ dataOffset, tensors }: Layout): Range[] {
  const ranges: Range[] = [[0, dataOffset]];
  for (const { offset, sizeBytes } of tensors) {
    const start = dataOffset + offset;
    if (sizeBytes <= 3 * sampleBytes) ranges.push([start, sizeBytes]);
    else {
      const last = sizeBytes - sampleBytes;
      for (const at of [0, Math.floor(last / 2), last]) ranges.push([start + at, sampleBytes]);
    }
  }
  return ranges;
}

interface Reading {
  readonly descriptor: number;
  readonly buffer: Buffer;
  readonly range: Range;
}

function addRange(hash: Hash, { descriptor, buffer, range: [offset, bytes] }: Reading): void {
  for (let done = 0; done < bytes;) {
    const count = readSync(descriptor, buffer, 0, Math.min(buffer.length, bytes - done), offset + done);
    // What is missing at the end is in the size already.
    if (count === 0) return;
    hash.update(buffer.subarray(0, count));
    done += count;
  }
}
