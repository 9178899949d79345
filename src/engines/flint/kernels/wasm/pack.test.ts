import { describe, expect, test } from "vitest";
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import { ggmlType } from "../../../../formats/gguf/ggml.ts";
import { matrixBytes } from "../../weights/layout.ts";
import { layoutOf, packRows } from "../../weights/pack.ts";
import { compilations, instantiate } from "./__fixtures__/instance.ts";
import { canPack, packKernel, packName, packTable } from "./pack.ts";

/** Types with a kernel, and where their blocks have f16 numbers. */
const types: readonly (readonly [GgmlTypeName, readonly number[]])[] = [
  ["F32", []],
  ["F16", []],
  ["BF16", []],
  ["Q4_0", [0]],
  ["Q4_1", [0, 2]],
  ["Q5_0", [0]],
  ["Q5_1", [0, 2]],
  ["Q8_0", [0]],
  ["IQ4_NL", [0]],
  ["MXFP4", []],
  ["Q2_K", [80, 82]],
  ["Q3_K", [108]],
  ["Q4_K", [0, 2]],
  ["Q5_K", [0, 2]],
  ["Q6_K", [208]],
  ["IQ4_XS", [0]],
  ["IQ2_XXS", [0]],
  ["IQ2_XS", [0]],
  ["IQ2_S", [0]],
  ["IQ3_XXS", [0]],
  ["IQ3_S", [0]],
  ["IQ1_S", [0]],
  ["IQ1_M", []],
  ["TQ1_0", [52]],
  ["TQ2_0", [64]],
];

/** Bytes of a file that look random; numbers of 16 bits that are scales are finite ones of any size. */
function fileBytes(type: GgmlTypeName, weights: number, halves: readonly number[]): Uint8Array<ArrayBuffer> {
  const { blockBytes, blockSize } = ggmlType(type);
  let state = 12_345;
  const bytes = Uint8Array.from({ length: (weights / blockSize) * blockBytes }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state >>> 24;
  });
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < bytes.length; block += blockBytes) {
    for (const at of halves) view.setUint16(block + at, view.getUint16(block + at, true) & 0xbbff, true);
    // The upper halves of these four numbers are one scale.
    if (type === "IQ1_M") view.setUint8(block + 55, view.getUint8(block + 55) & 0xbf);
  }
  if (type === "F32") for (let at = 3; at < bytes.length; at += 4) bytes[at]! &= 0xbf;
  return bytes;
}

const k = 512;
const rows = 24;

describe.each(compilations)("with $name", ({ merge }) => {
  const kernels = instantiate(
    types.flatMap(([type]) => packKernel(type) ?? []),
    merge,
  );

  test.each(types)("%s is packed as the decoder packs it", (type, halves) => {
    const source = fileBytes(type, k * rows, halves);
    const layout = layoutOf(type);
    const expected = new Uint8Array(matrixBytes(layout, { k, n: rows }));
    packRows({ type, k, rows, source, target: expected });
    const from = kernels.place(source.length);
    const table = packTable(type);
    const tableAt = kernels.place(table.length);
    const to = kernels.place(expected.length + 64);
    kernels.bytes.set(source, from);
    kernels.bytes.set(table, tableAt);
    kernels.bytes.fill(0x5a, to, to + expected.length + 64);
    kernels.call(packName(type), from, to, k, rows / 8, tableAt);
    const actual = kernels.bytes.slice(to, to + expected.length);
    const differs = actual.findIndex((byte, index) => byte !== expected[index]);
    expect(differs).toBe(-1);
    expect(kernels.bytes.slice(to + expected.length, to + expected.length + 64).every((byte) => byte === 0x5a)).toBe(
      true,
    );
  });
});

test("a row that is not whole steps long, or of a type without a kernel, has none", () => {
  expect(canPack("F16", 16)).toBe(true);
  expect(canPack("F16", 12)).toBe(false);
  expect(canPack("NVFP4", 64)).toBe(false);
  expect(packKernel("NVFP4")).toBeUndefined();
});
