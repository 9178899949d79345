/** Matrices and rows of activations as the matrix kernels want them, and what they stand for. */
import type { GgmlTypeName } from "../../../../../formats/gguf/ggml.ts";
import { randomWeights } from "../../../__fixtures__/typed.ts";
import { toFloat32 } from "../../../weights/codecs/float.ts";
import type { Layout } from "../../../weights/layout.ts";
import {
  activationBytes,
  activationRecord,
  blockWidth,
  floatRowBytes,
  matrixBytes,
  rowGroup,
  superActivation,
  superActivationBytes,
  superWidth,
} from "../../../weights/layout.ts";
import { layoutOf, packRows } from "../../../weights/pack.ts";
import { quantizeRow, quantizeSuperRow, restOfRow } from "../activations.ts";
import type { FunctionCode } from "../code.ts";
import { floatMatmul, floatMatmulName } from "../matmul-float.ts";
import { superMatmul, superMatmulName } from "../matmul-super.ts";
import { matmul, matmulName } from "../matmul.ts";
import type { Kernels } from "./instance.ts";
import { randomNumbers } from "./instance.ts";

export interface MatrixShape {
  readonly k: number;
  readonly n: number;
}

export interface TestMatrix extends MatrixShape {
  readonly layout: Layout;
  readonly address: number;
  /** [n][k], decoded by the codec of the type. */
  readonly weights: Float32Array;
}

/** `fill`: what the bytes of all codes are; otherwise they are random. */
export function placeMatrix(
  kernels: Kernels,
  type: GgmlTypeName,
  { k, n, fill }: MatrixShape & { readonly fill?: number },
): TestMatrix {
  const source = randomWeights(type, [k, n], { deviation: 0.1, seed: 3, fill });
  const weights = new Float32Array(k * n);
  toFloat32(type, source, weights);
  const layout = layoutOf(type);
  const bytes = matrixBytes(layout, { k, n });
  const address = kernels.place(bytes);
  // Rows that the last group lacks are zeros.
  const rows = Math.ceil(n / rowGroup) * rowGroup;
  const whole = new Uint8Array((source.length / n) * rows);
  whole.set(source);
  packRows({ type, k, source: whole, rows, target: kernels.bytes.subarray(address, address + bytes) });
  return { k, n, layout, address, weights };
}

export interface TestRows {
  readonly address: number;
  readonly stride: number;
  /** What the kernel multiplies: the numbers themselves, or what is left of them with 8 bits. */
  readonly values: readonly Float32Array[];
}

/** Rows of random numbers; some blocks are zeros, some much larger than others. */
export function placeRows(kernels: Kernels, layout: Layout, { k, count }: { k: number; count: number }): TestRows {
  const numbers = randomNumbers(k * count, 2, 11).map((value, index) => value * sizeOf(index));
  return placeNumbers(kernels, layout, { numbers, k });
}

/** Rows of the given numbers. */
export function placeNumbers(
  kernels: Kernels,
  { kind }: Layout,
  { numbers, k }: { readonly numbers: Float32Array; readonly k: number },
): TestRows {
  const count = numbers.length / k;
  const rows = Array.from({ length: count }, (_, row) => numbers.slice(row * k, (row + 1) * k));
  const step = floatRowBytes(k);
  const source = kernels.place(step * count);
  rows.forEach((row, index) => kernels.floats.set(row, (source + index * step) / 4));
  if (kind === "float") return { address: source, stride: step, values: rows };
  const stride = kind === "super" ? superActivationBytes(k) : activationBytes(k);
  const address = kernels.place(stride * count);
  for (let row = 0; row < count; row++) {
    kernels.call(kind === "super" ? "quantize-super" : "quantize", source + row * step, address + row * stride, k);
  }
  const values = Array.from({ length: count }, (_, row) => dequantize(kernels, kind, { at: address + row * stride, k }));
  return { address, stride, values };
}

function sizeOf(index: number): number {
  const block = Math.floor(index / blockWidth);
  return block % 5 === 3 ? 0 : block % 7 === 2 ? 50 : 1;
}

function dequantize(kernels: Kernels, kind: "coded" | "super", { at, k }: { at: number; k: number }): Float32Array {
  const [width, bytes, scale] =
    kind === "super"
      ? [superWidth, superActivation.bytes, superActivation.scale]
      : [blockWidth, activationRecord.bytes, activationRecord.scale];
  return Float32Array.from({ length: k }, (_, index) => {
    const record = at + k + Math.floor(index / width) * bytes;
    return (kernels.floats[(record + scale) / 4] ?? 0) * (((kernels.bytes[at + index] ?? 0) << 24) >> 24);
  });
}

export interface MatmulVariant {
  readonly tokens: number;
  readonly streams: number;
}

export function matmulCode(layout: Layout, k: number, { tokens, streams }: MatmulVariant): FunctionCode {
  switch (layout.kind) {
    case "float":
      return floatMatmul({ layout, k, tokens });
    case "super":
      return superMatmul({ layout, k, tokens, streams });
    case "coded":
      return matmul({ layout, k, tokens, streams });
  }
}

function nameOf(layout: Layout, k: number, { tokens, streams }: MatmulVariant): string {
  switch (layout.kind) {
    case "float":
      return floatMatmulName({ layout, k, tokens });
    case "super":
      return superMatmulName({ layout, k, tokens, streams });
    case "coded":
      return matmulName({ layout, k, tokens, streams });
  }
}

export function quantizers(): FunctionCode[] {
  return [quantizeRow(), quantizeSuperRow(), restOfRow()];
}

/** y[tokens][n], and nothing written behind it. Whole groups of rows are computed, as many as `streams` goes into. */
export function multiply(kernels: Kernels, { layout, address, k, n }: TestMatrix, rows: TestRows, variant: MatmulVariant): Float32Array[] {
  const { tokens } = variant;
  const streams = layout.kind === "float" ? 1 : variant.streams;
  const groups = Math.floor(Math.ceil(n / 8) / streams) * streams;
  const width = groups * 8;
  const y = kernels.place(tokens * width * 4 + 64);
  kernels.floats.fill(NaN, y / 4, y / 4 + tokens * width + 16);
  kernels.call(nameOf(layout, k, variant), address, rows.address, y, width * 4, groups / streams);
  if (!Number.isNaN(kernels.floats[y / 4 + tokens * width] ?? 0)) throw new Error("the kernel wrote behind its results");
  return Array.from({ length: tokens }, (_, token) => kernels.read(y + token * width * 4, Math.min(n, width)));
}

/** Largest error of a result, relative to the sum of the magnitudes of its products: what rounding can do. */
export function roundingError(results: readonly Float32Array[], { weights, k }: TestMatrix, { values }: TestRows): number {
  let largest = 0;
  results.forEach((result, token) => {
    result.forEach((actual, row) => {
      let sum = 0;
      let size = 0;
      for (let at = 0; at < k; at++) {
        const product = (weights[row * k + at] ?? 0) * (values[token]?.[at] ?? 0);
        sum += product;
        size += Math.abs(product);
      }
      const error = Math.abs(actual - sum) / (size || 1);
      if (!(error <= largest)) largest = Number.isNaN(error) ? Infinity : error;
    });
  });
  return largest;
}
