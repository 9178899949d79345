/** Weights of one floating type as another, and as whatever an encoder makes of float32. */
import { HearthError } from "../../error.ts";
import { floatToBrain, floatToHalf, halves } from "../../util/half.ts";
import { ggmlType, tensorBytes } from "../gguf/ggml.ts";
import type { GgmlTypeName } from "../gguf/ggml.ts";
import { printable } from "../gguf/malformed.ts";
import type { MatrixRows } from "./scheme.ts";

export type FloatType = "F32" | "F16" | "BF16";

export function isFloat(type: GgmlTypeName): type is FloatType {
  return type === "F32" || type === "F16" || type === "BF16";
}

/** Turns whole rows of float32 into a ggml type. `target` has exactly their size and may stand at any byte. */
export type EncodeRows = (weights: Float32Array, target: Uint8Array) => void;

/** Float32 values of rows of a floating type. */
export function readFloats(rows: MatrixRows, first: number, count: number): Float32Array {
  const values = new Float32Array(count * rows.k);
  if (rows.type === "F32") {
    rows.readRows(first, count, new Uint8Array(values.buffer));
    return values;
  }
  const shorts = new Uint16Array(values.length);
  rows.readRows(first, count, new Uint8Array(shorts.buffer));
  if (rows.type === "F16") for (let i = 0; i < shorts.length; i++) values[i] = halves[shorts[i]!]!;
  else if (rows.type === "BF16") {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < shorts.length; i++) bits[i] = shorts[i]! << 16;
  } else throw new RangeError(`${rows.type} is no floating type`);
  return values;
}

/** Rows of `type`, each made by `encode` when it is asked for. */
export function encodeRows(rows: MatrixRows, type: GgmlTypeName, encode: EncodeRows): MatrixRows {
  const bytes = tensorBytes(ggmlType(type), [rows.k]);
  // A few hundred KiB at a time stay in the cache.
  const step = Math.max(1, Math.floor(65_536 / rows.k));
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    for (let row = 0; row < count; row += step) {
      const some = Math.min(step, count - row);
      encode(readFloats(rows, first + row, some), target.subarray(row * bytes, (row + some) * bytes));
    }
  };
  return { type, n: rows.n, k: rows.k, readRows };
}

/** The same weights as another floating type, rounded to nearest. `name` is for the error where F16 cannot hold one. */
export function castRows(rows: MatrixRows, type: FloatType, name: string): MatrixRows {
  if (rows.type === type) return rows;
  return encodeRows(rows, type, encoders(name)[type]);
}

function encoders(name: string): Readonly<Record<FloatType, EncodeRows>> {
  return {
    F32: (weights, target) => target.set(new Uint8Array(weights.buffer, 0, weights.byteLength)),
    BF16: (weights, target) => target.set(new Uint8Array(toBrains(weights).buffer)),
    F16: (weights, target) => target.set(new Uint8Array(toHalves(weights, name).buffer)),
  };
}

/** Rounds to the upper half of the bits, ties to even. */
function toBrains(weights: Float32Array): Uint16Array {
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  const shorts = new Uint16Array(weights.length);
  for (let i = 0; i < shorts.length; i++) {
    const word = bits[i]!;
    shorts[i] = (word & 0x7fff_ffff) > 0x7f80_0000 ? floatToBrain(NaN) : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return shorts;
}

/** Least f32 that is a normal f16, and the first that is none any more. */
const normal = { least: 0x3880_0000, beyond: 0x477f_f000 };

function toHalves(weights: Float32Array, name: string): Uint16Array {
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  const shorts = new Uint16Array(weights.length);
  for (let i = 0; i < shorts.length; i++) {
    const word = bits[i]!;
    const magnitude = word & 0x7fff_ffff;
    if (magnitude >= normal.least && magnitude < normal.beyond) {
      const rounded = (magnitude - 0x3800_0000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
      shorts[i] = ((word >>> 16) & 0x8000) | rounded;
      continue;
    }
    if (magnitude >= normal.beyond && magnitude < 0x7f80_0000) throw tooLarge(name, weights[i]!);
    shorts[i] = floatToHalf(weights[i]!);
  }
  return shorts;
}

function tooLarge(name: string, weight: number): HearthError {
  const field = printable(name);
  return new HearthError("model_unsupported", `${field} has a weight of ${weight}, which F16 cannot hold.`, {
    hint: "Use --type bf16 or --type f32.",
    details: { field },
  });
}

/** A norm whose weights are stored without the 1 that the formula adds. */
export function plusOne(rows: MatrixRows): MatrixRows {
  const readRows: MatrixRows["readRows"] = (first, count, target) => {
    const values = readFloats(rows, first, count);
    for (let i = 0; i < values.length; i++) values[i]! += 1;
    target.set(new Uint8Array(values.buffer));
  };
  return { type: "F32", n: rows.n, k: rows.k, readRows };
}
