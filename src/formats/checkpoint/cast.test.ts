import { expect, test } from "vitest";
import { floatToBrain, floatToHalf, halves } from "../../util/half.ts";
import { castRows } from "./cast.ts";
import { rowBytes } from "./rows.ts";
import type { MatrixRows } from "./scheme.ts";

function rowsOf(values: Float32Array): MatrixRows {
  const bytes = new Uint8Array(values.buffer);
  return {
    type: "F32",
    n: 1,
    k: values.length,
    readRows: (first, count, target) =>
      target.set(bytes.subarray(first * bytes.length, (first + count) * bytes.length)),
  };
}

function allBytes(rows: MatrixRows): Uint8Array {
  const bytes = new Uint8Array(rows.n * rowBytes(rows));
  rows.readRows(0, rows.n, bytes);
  return bytes;
}

const special = [1e-10, -1e-10, 2 ** -24, 2 ** -25, 65_519, -65_519, Infinity, -Infinity, 1.1, -3.3];

/** Every f16, what lies between two of them, and numbers that it has not. */
const values = Float32Array.from([
  ...Array.from(halves).filter(Number.isFinite),
  ...Array.from(halves.subarray(0, 31_743), (value, index) => (value + (halves[index + 1] ?? 0)) / 2),
  ...special,
]);

test("float32 becomes the nearest f16 and bf16, ties to even", () => {
  const as = (type: "F16" | "BF16"): Uint16Array =>
    new Uint16Array(allBytes(castRows(rowsOf(values), type, "x")).buffer);
  expect(as("F16")).toEqual(Uint16Array.from(values, floatToHalf));
  expect(as("BF16")).toEqual(Uint16Array.from(values, floatToBrain));
});

test("a number that f16 cannot hold is refused by the name of its tensor", () => {
  for (const value of [65_520, -1e6, 3e38]) {
    expect(() => allBytes(castRows(rowsOf(Float32Array.of(1, value)), "F16", "blk.0.ffn_up.weight"))).toThrow(
      /blk.0.ffn_up.weight has a weight of .*cannot hold/,
    );
  }
  const nothing = allBytes(castRows(rowsOf(Float32Array.of(NaN)), "F16", "x"));
  expect(Number.isNaN(halves[(nothing[0] ?? 0) + (nothing[1] ?? 0) * 256])).toBe(true);
});
