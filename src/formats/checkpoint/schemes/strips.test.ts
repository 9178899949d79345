import { expect, it } from "vitest";
import type { RawTensor } from "../scheme.ts";
import { createCache } from "./cache.ts";
import { isInBlocks, sortColumns } from "./order.ts";
import { createStrips } from "./strips.ts";

it("reads a matrix in strips of whole columns, each of them once", () => {
  const [rows, columns] = [8, 10];
  const words = Uint32Array.from({ length: rows * columns }, (_, index) => index);
  let bytes = 0;
  const tensor: RawTensor = {
    ...({ name: "a", dtype: "I32", shape: [rows, columns], sizeBytes: words.byteLength } as const),
    read(offset, target) {
      bytes += target.length;
      target.set(new Uint8Array(words.buffer, offset, target.length));
    },
  };
  const strip = createStrips(
    tensor,
    createCache(1000, ({ byteLength }) => byteLength),
    3 * rows * 4,
  );
  for (let column = 0; column < columns; column++) {
    const { words: found, first, width } = strip(column);
    expect(width).toBe(column < 9 ? 3 : 1);
    const own = Array.from({ length: rows }, (_, row) => found[row * width + column - first]);
    expect(own).toEqual(Array.from({ length: rows }, (_, row) => row * columns + column));
  }
  expect(bytes).toBe(words.byteLength);
});

it("a cache forgets what was used longest ago, and keeps one value however large it is", () => {
  const made: string[] = [];
  const cache = createCache<number>(10, (size) => size);
  const get = (key: string, size: number): number => cache.get(key, () => (made.push(key), size));
  for (const [key, size] of [
    ["a", 4],
    ["b", 4],
    ["a", 4],
    ["c", 4],
    ["a", 4],
    ["b", 4],
    ["d", 99],
    ["d", 99],
    ["a", 4],
  ] as const)
    get(key, size);
  expect(made.join("")).toBe("abcbda");
});

it("columns of a group are brought together, and blocks may not mix groups", () => {
  const groupOf = Uint32Array.from({ length: 64 }, (_, column) => column % 2);
  expect(isInBlocks(groupOf)).toBe(false);
  const sorted = sortColumns(groupOf);
  expect(isInBlocks(sorted.groupOf)).toBe(true);
  expect([...sorted.columns].slice(30, 34)).toEqual([60, 62, 1, 3]);
  expect(isInBlocks(sorted.groupOf.subarray(0, 40))).toBe(false);
});
