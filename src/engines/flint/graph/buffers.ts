/** Places for values: two values share memory when one is not needed any more before the other is written. */
import { activationBytes, floatRowBytes, superActivationBytes } from "../weights/layout.ts";
import type { RowSpace, ValueInfo } from "./program.ts";
import type { Stage } from "./stages.ts";
import { inputsOf, opsOf, outputOf } from "./stages.ts";

export interface BufferPlan {
  /** Byte offset of each value. */
  readonly offsets: readonly number[];
  readonly totalBytes: number;
}

export type RowCapacity = Readonly<Record<RowSpace, number>>;

/** Bytes from row to row, all its parts together. */
export function rowBytes({ width, form, parts = 1 }: ValueInfo): number {
  return parts * partBytes(width, form);
}

function partBytes(width: number, form: ValueInfo["form"]): number {
  switch (form) {
    case "float":
      return floatRowBytes(width);
    case "coded":
      return activationBytes(width);
    case "super":
      return superActivationBytes(width);
  }
}

interface Life {
  readonly id: number;
  readonly bytes: number;
  first: number;
  last: number;
}

export function planBuffers(
  stages: readonly Stage[],
  values: readonly ValueInfo[],
  { capacity, result }: { readonly capacity: RowCapacity; readonly result: number },
): BufferPlan {
  const lives = livesOf(stages, values, capacity);
  const resultLife = lives[result];
  if (resultLife) resultLife.last = stages.length;
  const placed: (Life & { offset: number })[] = [];
  const offsets = values.map(() => 0);
  let totalBytes = 0;
  for (const life of lives.toSorted((a, b) => b.bytes - a.bytes)) {
    const busy = placed
      .filter((other) => other.first <= life.last && life.first <= other.last)
      .sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of busy) {
      if (offset + life.bytes <= other.offset) break;
      offset = Math.max(offset, other.offset + other.bytes);
    }
    placed.push({ ...life, offset });
    offsets[life.id] = offset;
    totalBytes = Math.max(totalBytes, offset + life.bytes);
  }
  return { offsets, totalBytes };
}

function livesOf(stages: readonly Stage[], values: readonly ValueInfo[], capacity: RowCapacity): Life[] {
  const lives = values.map((value, id): Life => ({
    id,
    // Whole cache lines, and a vector more than the last row needs.
    bytes: Math.ceil((rowBytes(value) * capacity[value.rows] + 32) / 64) * 64,
    first: Infinity,
    last: -1,
  }));
  stages.forEach((stage, index) => {
    const touched = opsOf(stage).flatMap((op) => [...inputsOf(op), outputOf(op) ?? []].flat());
    for (const id of stage.kind === "transfer" ? [stage.value] : touched) {
      const life = lives[id];
      if (!life) continue;
      life.first = Math.min(life.first, index);
      life.last = Math.max(life.last, index);
    }
  });
  return lives.map((life) => (life.last < 0 ? { ...life, first: 0, last: 0 } : life));
}
