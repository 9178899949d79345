/**
 * What a reference model says of every place of a text, kept on disk so that only one model is in memory at a time. Of
 * each row: how far each token's logit is below the largest, in 65536 steps up to 32: at most 0.00025 wrong, and not at
 * all for the likeliest token.
 */
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { HearthError } from "../../error.ts";
import { diskFreeBytes } from "../../hardware/disk.ts";
import { formatBytes } from "../../util/format.ts";

const range = 32;
const steps = 65_535;

/** The factor of a probability for each step below the likeliest. */
const factors: Float64Array = Float64Array.from({ length: steps + 1 }, (_, step) => Math.exp((-step * range) / steps));

export interface RowStore {
  /** Keeps the next row of logits. */
  write(logits: Float32Array): void;
  /** How far another model's logits are from row `index`. */
  compare(index: number, logits: Float32Array): Comparison;
  readonly close: () => void;
}

export interface Comparison {
  /** Σ p · (log p − log q), in nats. */
  readonly divergence: number;
  /** Whether both have the same likeliest token. */
  readonly agrees: boolean;
}

export interface RowStoreOptions {
  readonly folder: string;
  readonly width: number;
  readonly rows: number;
}

/** Throws `disk_full`. The file has no name any more when this returns, where the system can do that. */
export async function openRowStore({ folder, width, rows }: RowStoreOptions): Promise<RowStore> {
  const bytes = width * 2;
  mkdirSync(folder, { recursive: true });
  const free = await diskFreeBytes(folder);
  if (free !== undefined && free < bytes * rows) {
    throw new HearthError(
      "disk_full",
      `What the reference says of ${rows} tokens takes ${formatBytes(bytes * rows)} in ${folder}; ${formatBytes(free)} are free.`,
      { hint: "Free some space, or compare fewer tokens with --tokens.", details: { freeBytes: free } },
    );
  }
  const path = join(folder, `rows-${process.pid}-${randomBytes(4).toString("hex")}.tmp`);
  const descriptor = openSync(path, "wx+");
  let named = process.platform === "win32";
  if (!named) rmSync(path);
  const codes = new Uint16Array(width);
  const row = new Uint8Array(codes.buffer);
  let written = 0;
  return {
    write(logits) {
      encodeRow(logits, codes);
      for (let done = 0; done < bytes;) done += writeSync(descriptor, row, done, bytes - done, written * bytes + done);
      written++;
    },
    compare(index, logits) {
      for (let done = 0; done < bytes;) {
        const count = readSync(descriptor, row, done, bytes - done, index * bytes + done);
        if (count === 0) throw new RangeError(`no row ${index} of ${written}`);
        done += count;
      }
      return compareRow(codes, logits);
    },
    close() {
      closeSync(descriptor);
      if (named) rmSync(path, { force: true });
      named = false;
    },
  };
}

/** Steps below the largest logit. */
export function encodeRow(logits: Float32Array, codes: Uint16Array): void {
  let most = -Infinity;
  for (let i = 0; i < logits.length; i++) if (logits[i]! > most) most = logits[i]!;
  for (let i = 0; i < logits.length; i++) {
    codes[i] = Math.min(steps, (most - logits[i]!) * (steps / range) + 0.5);
  }
}

export function compareRow(codes: Uint16Array, logits: Float32Array): Comparison {
  let most = -Infinity;
  let likeliest = 0;
  for (let i = 0; i < logits.length; i++) {
    if (logits[i]! <= most) continue;
    most = logits[i]!;
    likeliest = i;
  }
  // Σ p · step and Σ p · (most − logit), both less the factor that all p have in common.
  let others = 0;
  let weight = 0;
  let own = 0;
  let theirs = 0;
  for (let i = 0; i < logits.length; i++) {
    const below = most - logits[i]!;
    const factor = factors[codes[i]!]!;
    others += Math.exp(-below);
    weight += factor;
    own += factor * codes[i]!;
    theirs += factor * below;
  }
  const logP = -Math.log(weight) - (own / weight) * (range / steps);
  const logQ = -Math.log(others) - theirs / weight;
  // The likeliest token of the reference is the one of code 0; of several any will do.
  return { divergence: logP - logQ, agrees: codes[likeliest] === 0 };
}
