/**
 * Matrices of 8-bit floats with scales (OCP OFP8, arXiv 2209.05433): E4M3 without infinities, bias 7; E5M2, bias 15. F16 holds
 * each of their values exactly; the product with the scale is rounded to it.
 */
import { floatToBrain, floatToHalf } from "../../../util/half.ts";
import type { SafetensorsType } from "../../safetensors/types.ts";
import type { MatrixRows, RawTensor } from "../scheme.ts";
import { readScales } from "./numbers.ts";
import { sizeAt } from "./parts.ts";
import { mapScales } from "./scales.ts";
import type { ScaleMap } from "./scales.ts";

export const float8Types: readonly SafetensorsType[] = ["F8_E4M3", "F8_E5M2"];

function valueOf(byte: number, { mantissaBits, bias }: { mantissaBits: number; bias: number }): number {
  const exponent = (byte & 127) >> mantissaBits;
  const mantissa = (byte & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  const magnitude = exponent === 0 ? mantissa * 2 ** (1 - bias) : (1 + mantissa) * 2 ** (exponent - bias);
  return byte < 128 ? magnitude : -magnitude;
}

const e4m3 = Float32Array.from({ length: 256 }, (_, byte) =>
  (byte & 127) === 127 ? NaN : valueOf(byte, { mantissaBits: 3, bias: 7 }),
);
const e5m2 = Float32Array.from({ length: 256 }, (_, byte) => {
  if ((byte & 127) < 124) return valueOf(byte, { mantissaBits: 2, bias: 15 });
  return (byte & 3) === 0 ? (byte < 128 ? Infinity : -Infinity) : NaN;
});

export interface Float8Matrix {
  /** [n][k] */
  readonly weight: RawTensor;
  readonly scales: RawTensor;
  readonly block: readonly [number, number] | undefined;
  readonly groupSize?: number | undefined;
}

/** Rows of F16; of BF16 where F16 could not hold the largest value, or rounds most of the small ones away. */
export function float8Rows({ weight, scales, block, groupSize }: Float8Matrix): MatrixRows {
  const [n, k] = [sizeAt(weight, 0), sizeAt(weight, 1)];
  const map = mapScales(scales, { n, k, block, groupSize });
  const factors = readScales(scales);
  const values = weight.dtype === "F8_E4M3" ? e4m3 : e5m2;
  const wide = !fitsHalf(factors, values);
  const encoder = createEncoder({ factors, values, map, round: wide ? floatToBrain : floatToHalf });
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    const bytes = new Uint8Array(count * k);
    weight.read(first * k, bytes);
    const shorts = new Uint16Array(k);
    for (let row = 0; row < count; row++) {
      encoder(first + row, bytes.subarray(row * k, (row + 1) * k), shorts);
      target.set(new Uint8Array(shorts.buffer), row * k * 2);
    }
  };
  return { type: wide ? "BF16" : "F16", n, k, readRows };
}

/** Largest f16; and the largest value of a group should not lie where f16 has fewer bits than the codes. */
function fitsHalf(factors: Float32Array, values: Float32Array): boolean {
  const largest = values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, value) : most), 0);
  return factors.every((factor) => factor === 0 || isWithin(Math.abs(factor) * largest));
}

function isWithin(value: number): boolean {
  return value <= 65_504 && value >= 2 ** -14;
}

interface Encoding {
  readonly factors: Float32Array;
  readonly values: Float32Array;
  readonly map: ScaleMap;
  readonly round: (value: number) => number;
}

/** Groups at least this wide, or shared by rows, have a table of all 256 products made for them. */
const tableColumns = 512;

function createEncoder({ factors, values, map, round }: Encoding) {
  const { groups, columnsPerGroup, rowsPerScale } = map;
  const tables = new Map<number, Uint16Array>();
  let scaleRow = -1;
  const tableOf = (index: number): Uint16Array => {
    const known = tables.get(index);
    if (known) return known;
    const table = Uint16Array.from(values, (value) => round(value * factors[index]!));
    tables.set(index, table);
    return table;
  };
  const useTables = columnsPerGroup * rowsPerScale >= tableColumns;
  return (row: number, bytes: Uint8Array, shorts: Uint16Array): void => {
    if (Math.floor(row / rowsPerScale) !== scaleRow) tables.clear();
    scaleRow = Math.floor(row / rowsPerScale);
    for (let group = 0, i = 0; group < groups; group++) {
      const end = Math.min(i + columnsPerGroup, bytes.length);
      const index = scaleRow * groups + group;
      if (useTables) for (const table = tableOf(index); i < end; i++) shorts[i] = table[bytes[i]!]!;
      else for (const factor = factors[index]!; i < end; i++) shorts[i] = round(values[bytes[i]!]! * factor);
    }
  };
}
