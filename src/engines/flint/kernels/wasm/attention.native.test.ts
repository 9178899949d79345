import { describe, expect, it } from "vitest";
import { blockTokens, cacheTypes, keyBlockBytes, valueBlockBytes } from "../../cache/layout.ts";
import { writeHead } from "./__fixtures__/cache.ts";
import { compilations, instantiate, largestError, randomNumbers } from "./__fixtures__/instance.ts";
import type { Kernels } from "./__fixtures__/instance.ts";
import type { AttendShape } from "./attention-queries.ts";
import { attend, attendName, attendScratchBytes } from "./attention.ts";
import type { FunctionCode } from "./code.ts";

interface Range {
  readonly rows: number;
  readonly first: number;
  readonly end: number;
  readonly step: number;
  readonly length: number;
}

const garbage = 60_000;

/** A cache of one layer whose blocks stand in another order than their tokens; slots without a token hold garbage. */
function createCache(kernels: Kernels, shape: AttendShape, length: number) {
  const { keyHeads, headWidth, valueWidth, keyType, valueType } = shape;
  const blocks = Math.ceil(length / blockTokens) + 1;
  const bytes = { keys: keyBlockBytes(shape), values: valueBlockBytes(shape) };
  const [keys, values] = [kernels.place(bytes.keys * blocks), kernels.place(bytes.values * blocks)];
  kernels.halves.fill(garbage, keys / 2, (keys + bytes.keys * blocks) / 2);
  kernels.halves.fill(garbage, values / 2, (values + bytes.values * blocks) / 2);
  const ids = Array.from({ length: blocks }, (_, index) => (index * 3 + 1) % blocks);
  if (new Set(ids).size < blocks) ids.forEach((_, index) => (ids[index] = blocks - 1 - index));
  const table = kernels.place(blocks * 4);
  kernels.ints.set(ids, table / 4);
  const k = randomNumbers(length * keyHeads * headWidth, 2, 5);
  const v = randomNumbers(length * keyHeads * valueWidth, 1, 6);
  for (let t = 0; t < length; t++) {
    const id = ids[Math.floor(t / blockTokens)] ?? 0;
    const slot = t % blockTokens;
    for (let h = 0; h < keyHeads; h++) {
      for (const [kind, width, type, start, numbers] of [
        ["keys", headWidth, keyType, keys, k],
        ["values", valueWidth, valueType, values, v],
      ] as const) {
        const head = numbers.subarray((t * keyHeads + h) * width, (t * keyHeads + h + 1) * width);
        const address = start + bytes[kind] * id + (bytes[kind] / keyHeads) * h;
        head.set(writeHead(kernels, { kind, type, width, address, slot }, head));
      }
    }
  }
  return { keys, values, table, k, v };
}

/** In float64. */
function reference(
  q: Float32Array,
  { k, v }: { k: Float32Array; v: Float32Array },
  shape: AttendShape,
  range: Range,
): number[] {
  const { heads, keyHeads, headWidth, valueWidth, scale, softCap } = shape;
  const out: number[] = [];
  for (let row = 0; row < range.rows; row++) {
    const low = Math.max(0, range.first + row * range.step);
    const high = Math.min(range.length, range.end + row * range.step);
    for (let head = 0; head < heads; head++) {
      const keyHead = Math.floor(head / (heads / keyHeads));
      const scores: number[] = [];
      for (let t = low; t < high; t++) {
        let score = 0;
        for (let d = 0; d < headWidth; d++) {
          score += (q[(row * heads + head) * headWidth + d] ?? 0) * (k[(t * keyHeads + keyHead) * headWidth + d] ?? 0);
        }
        scores.push(softCap ? softCap * Math.tanh((score * scale) / softCap) : score * scale);
      }
      const largest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - largest));
      const sum = weights.reduce((total, weight) => total + weight, 0);
      for (let d = 0; d < valueWidth; d++) {
        const total = weights.reduce(
          (s, w, i) => s + w * (v[((low + i) * keyHeads + keyHead) * valueWidth + d] ?? 0),
          0,
        );
        out.push(sum > 0 ? total / sum : 0);
      }
    }
  }
  return out;
}

const written = new Map<string, FunctionCode>();

/** The same function serves several tests. */
function attendOnce(shape: AttendShape): FunctionCode {
  const code = written.get(attendName(shape)) ?? attend(shape);
  written.set(code.name, code);
  return code;
}

function checkAttention(
  shape: AttendShape,
  range: Range,
  { merge, spread = 1 }: { merge: boolean; spread?: number },
): void {
  const kernels = instantiate([attendOnce(shape)], merge);
  const { heads, keyHeads, headWidth, valueWidth } = shape;
  const cache = createCache(kernels, shape, range.length);
  const q = randomNumbers(range.rows * heads * headWidth, spread, 7);
  const [source, out] = [kernels.write(q), kernels.place(range.rows * heads * valueWidth * 4)];
  const group = heads / keyHeads;
  const scratch = kernels.place(attendScratchBytes(shape, range.rows * group));
  for (let keyHead = 0; keyHead < keyHeads; keyHead++) {
    kernels.call(
      attendName(shape),
      source + keyHead * group * headWidth * 4,
      out + keyHead * group * valueWidth * 4,
      range.rows,
      group,
      cache.keys + (keyHead * keyBlockBytes(shape)) / keyHeads,
      cache.values + (keyHead * valueBlockBytes(shape)) / keyHeads,
      cache.table,
      range.first,
      range.end,
      range.step,
      range.length,
      scratch,
    );
  }
  const actual = kernels.read(out, range.rows * heads * valueWidth);
  const coded = shape.keyType === "q8_0" || shape.valueType === "q8_0";
  expect(largestError(actual, reference(q, cache, shape, range), 1)).toBeLessThan(coded ? codedTolerance : 2e-6);
}

/** Beside codes of 8 bits queries and weights are rounded to 16. */
const codedTolerance = 1e-4;

const small: AttendShape = {
  heads: 2,
  keyHeads: 1,
  headWidth: 32,
  valueWidth: 32,
  keyType: "f16",
  valueType: "f16",
  scale: 0.2,
};

describe.each(compilations)("attention as $name", ({ merge }) => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("serves %i heads that share a key head", (group) => {
    const shape = { ...small, heads: 2 * group, keyHeads: 2 };
    checkAttention(shape, { rows: 1, first: 0, end: 75, step: 0, length: 75 }, { merge });
  });

  it.each([1, 4, 5, 9])("lets each of %i rows see the tokens before it", (rows) => {
    checkAttention(small, { rows, first: 0, end: 60, step: 0, length: 80 }, { merge });
    checkAttention(small, { rows, first: -1000, end: 1, step: 1, length: rows }, { merge });
    checkAttention(small, { rows, first: 0, end: 61, step: 1, length: 60 + rows }, { merge });
  });

  it.each([1, 5, 40])("keeps to a window of %i tokens", (window) => {
    const rows = 6;
    checkAttention(small, { rows, first: 94 - window, end: 95, step: 1, length: 100 }, { merge });
    checkAttention(small, { rows, first: 62 - window, end: 63, step: 1, length: 68 }, { merge });
  });

  it("cuts a range on both sides of a row to the sequence", () => {
    checkAttention(small, { rows: 40, first: -8, end: 9, step: 1, length: 40 }, { merge });
  });

  it.each([
    { headWidth: 64, valueWidth: 64 },
    { headWidth: 80, valueWidth: 80 },
    { headWidth: 128, valueWidth: 128 },
    { headWidth: 256, valueWidth: 256 },
    { headWidth: 192, valueWidth: 128 },
    { headWidth: 20, valueWidth: 12 },
    { headWidth: 4, valueWidth: 4 },
  ])("has heads of $headWidth and values of $valueWidth", (widths) => {
    const shape = { ...small, ...widths, heads: 7, scale: 1 / Math.sqrt(widths.headWidth) };
    checkAttention(shape, { rows: 2, first: 0, end: 69, step: 1, length: 70 }, { merge });
  });

  it("caps scores", () => {
    checkAttention(
      { ...small, softCap: 5 },
      { rows: 3, first: 0, end: 68, step: 1, length: 70 },
      { merge, spread: 20 },
    );
  });

  it("bears scores so far apart that one token takes it all", () => {
    checkAttention(small, { rows: 3, first: 0, end: 68, step: 1, length: 70 }, { merge, spread: 2000 });
  });

  it("gives zeros to a row that sees nothing", () => {
    checkAttention(small, { rows: 1, first: 40, end: 40, step: 1, length: 50 }, { merge });
    checkAttention(small, { rows: 2, first: 0, end: 0, step: 1, length: 50 }, { merge });
  });
});

const coded = compilations.flatMap(({ name, merge }) =>
  cacheTypes.flatMap((keyType) =>
    cacheTypes.flatMap((valueType) =>
      keyType === "f16" && valueType === "f16" ? [] : { name, merge, keyType, valueType },
    ),
  ),
);

describe.each(coded)("keys in $keyType and values in $valueType as $name", ({ merge, keyType, valueType }) => {
  const shape: AttendShape = { ...small, keyType, valueType };

  it.each([1, 3, 5])("serve %i heads that share a key head", (group) => {
    const range = { rows: 1, first: 0, end: 75, step: 0, length: 75 };
    checkAttention({ ...shape, heads: 2 * group, keyHeads: 2, headWidth: 64, valueWidth: 64 }, range, { merge });
  });

  it.each([4, 9, 40])("are seen by each of %i rows up to its own token, or within a window", (rows) => {
    checkAttention(shape, { rows, first: -1000, end: 61, step: 1, length: 60 + rows }, { merge });
    checkAttention(shape, { rows, first: 40, end: 61, step: 1, length: 60 + rows }, { merge });
    checkAttention(shape, { rows, first: -8, end: 9, step: 1, length: rows }, { merge });
  });

  it.each([
    { headWidth: 80, valueWidth: 80 },
    { headWidth: 96, valueWidth: 96 },
    { headWidth: 192, valueWidth: 128 },
    { headWidth: 20, valueWidth: 12 },
    { headWidth: 4, valueWidth: 4 },
  ])("have heads of $headWidth and $valueWidth", (widths) => {
    const wide = { ...shape, ...widths, heads: 7, scale: 1 / Math.sqrt(widths.headWidth) };
    checkAttention(wide, { rows: 2, first: 0, end: 69, step: 1, length: 70 }, { merge });
  });

  it("have their scores capped", () => {
    const range = { rows: 3, first: 0, end: 68, step: 1, length: 70 };
    checkAttention({ ...shape, softCap: 5 }, range, { merge, spread: 3 });
  });

  it("bear scores so far apart that one token takes it all", () => {
    checkAttention(shape, { rows: 3, first: 0, end: 68, step: 1, length: 70 }, { merge, spread: 2000 });
  });

  it("give zeros to a row that sees nothing", () => {
    checkAttention(shape, { rows: 2, first: 0, end: 0, step: 1, length: 50 }, { merge });
  });
});
