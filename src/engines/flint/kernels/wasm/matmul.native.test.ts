/** Matrix kernels against sums in float64 over the weights that the codecs decode. */
import { describe, expect, it } from "vitest";
import type { GgmlTypeName } from "../../../../formats/gguf/ggml.ts";
import { ggmlType } from "../../../../formats/gguf/ggml.ts";
import { matrixTypes } from "../../architectures/tensors.ts";
import { layoutKey } from "../../weights/layout.ts";
import { layoutOf } from "../../weights/pack.ts";
import { compilations, instantiate } from "./__fixtures__/instance.ts";
import type { MatmulVariant } from "./__fixtures__/matrix.ts";
import {
  matmulCode,
  multiply,
  placeMatrix,
  placeNumbers,
  placeRows,
  quantizers,
  roundingError,
} from "./__fixtures__/matrix.ts";
import { atLevel } from "./simd.ts";

const variants: readonly MatmulVariant[] = [
  { tokens: 1, streams: 1 },
  { tokens: 1, streams: 4 },
  { tokens: 2, streams: 2 },
  { tokens: 2, streams: 1 },
  { tokens: 3, streams: 1 },
  { tokens: 4, streams: 1 },
];

/** The first type of each layout. */
const types: readonly GgmlTypeName[] = [
  ...new Map([...matrixTypes].toReversed().map((type) => [layoutKey(layoutOf(type)), type])).values(),
];
/** Widths of rows: no multiple of what loops take at once, where the type allows it. */
const widthOf = (type: GgmlTypeName): number =>
  layoutOf(type).kind === "float" ? 34 : ggmlType(type).blockSize * (ggmlType(type).blockSize > 64 ? 2 : 3);

/** Scales that the packed layout rounds to f16 are off by 2^-11, sums in float32 by less. */
const tolerance = 3e-4;
/** Five groups of rows; the last is not full. */
const n = 37;

function compute(type: GgmlTypeName, k: number, merge: boolean) {
  const layout = layoutOf(type);
  const codes = [
    ...new Map(variants.map((one) => matmulCode(layout, k, one)).map((code) => [code.name, code])).values(),
  ];
  const kernels = instantiate([...quantizers(), ...codes], merge, 16);
  const matrix = placeMatrix(kernels, type, { k, n });
  const rows = placeRows(kernels, layout, { k, count: 4 });
  const results = variants.map((variant) => multiply(kernels, matrix, rows, variant));
  return { results, errors: results.map((result) => roundingError(result, matrix, rows)) };
}

const bitsOf = (row: Float32Array): number[] => [...new Int32Array(row.buffer, row.byteOffset, row.length)];

describe.each(types)("a matrix of the type %s", (type) => {
  const k = widthOf(type);
  const [plain, merged] = compilations.map(({ merge }) => compute(type, k, merge));

  it("times any number of rows is what float64 gives", () => {
    expect(Math.max(...(plain?.errors ?? [NaN]))).toBeLessThan(tolerance);
  });

  it("gives a row the same bits whatever rows and row groups are computed with it", () => {
    const whole = plain?.results.at(-1) ?? [];
    for (const rows of plain?.results ?? []) {
      expect(rows.map(bitsOf)).toEqual(
        rows.map(({ length }, token) => bitsOf(whole[token]?.slice(0, length) ?? new Float32Array())),
      );
    }
  });

  it("gives the same bits where the compiler merges vectors", () => {
    expect(merged?.results.map((rows) => rows.map(bitsOf))).toEqual(plain?.results.map((rows) => rows.map(bitsOf)));
  });

  it("does not overflow with the largest codes and activations", () => {
    for (const fill of [0xff, 0x00, 0x80, 0x7f]) {
      for (const numbers of [new Float32Array(k).fill(1), new Float32Array(k).fill(-1)]) {
        const variant = { tokens: 1, streams: 1 };
        const kernels = instantiate([...quantizers(), matmulCode(layoutOf(type), k, variant)], false, 16);
        const matrix = placeMatrix(kernels, type, { k, n: 8, fill });
        const rows = placeNumbers(kernels, matrix.layout, { numbers, k });
        // All scales may be rounded the same way.
        expect(roundingError(multiply(kernels, matrix, rows, variant), matrix, rows)).toBeLessThan(2 * tolerance);
      }
    }
  });

  it("gives the same within rounding with plain SIMD", () => {
    const { errors } = atLevel("plain", () => compute(type, k, false));
    expect(Math.max(...errors)).toBeLessThan(tolerance);
  });
});
