/** Weights of 4 bits in blocks, as `MatMulNBits` of ONNX Runtime takes them. */
import type { Matrix } from "./codes.ts";

export interface BlockOptions {
  /** Weights of a column that share a scale. */
  readonly blockSize: number;
  /** Whether code 8 stands for 0 in all blocks; otherwise each has its own. */
  readonly symmetric: boolean;
}

/**
 * Source: ContribOperators.md of https://github.com/microsoft/onnxruntime. Two codes in a byte, the first one low; columns
 * one after the other, each of whole blocks.
 */
export interface BlockCodes {
  /** [columns, blocks, blockSize / 2] */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** [columns, blocks] */
  readonly scales: Float32Array<ArrayBuffer>;
  /** [columns, ceil(blocks / 2)], two in a byte. */
  readonly zeros: Uint8Array<ArrayBuffer> | undefined;
}

export function blockCodes(matrix: Matrix, { blockSize, symmetric }: BlockOptions): BlockCodes {
  const { values, rows, columns, rowStep, columnStep } = matrix;
  const blocks = Math.ceil(rows / blockSize);
  const half = blockSize / 2;
  const codes = new Uint8Array(columns * blocks * half);
  const scales = new Float32Array(columns * blocks);
  const zeroRow = Math.ceil(blocks / 2);
  const zeros = symmetric ? undefined : new Uint8Array(columns * zeroRow);
  const block = new Float32Array(blockSize);
  const found = new Uint8Array(blockSize);
  for (let column = 0; column < columns; column++) {
    for (let index = 0; index < blocks; index++) {
      const first = index * blockSize;
      const count = Math.min(blockSize, rows - first);
      // What is missing in the last block is 0.
      block.fill(0);
      for (let at = 0; at < count; at++) block[at] = values[(first + at) * rowStep + column * columnStep]!;
      const { scale, zero } = symmetric ? fitSymmetric(block, found) : fitRange(block, found);
      scales[column * blocks + index] = scale;
      if (zeros) zeros[column * zeroRow + (index >> 1)]! |= zero << (4 * (index & 1));
      const target = (column * blocks + index) * half;
      for (let at = 0; at < half; at++) codes[target + at] = found[2 * at]! | (found[2 * at + 1]! << 4);
    }
  }
  return { codes, scales, zeros };
}

interface Fit {
  readonly scale: number;
  readonly zero: number;
}

/** Which number the weight farthest from 0 gets; the scale that is best for the codes is then a closed formula. */
const largestCodes = [-8, -7.5, -8.5, -7, -6.5] as const;

/** Codes 0 to 15 for -8 to 7. The best of several scales by squared error. */
function fitSymmetric(block: Float32Array, codes: Uint8Array): Fit {
  let far = 0;
  for (const value of block) if (Math.abs(value) > Math.abs(far)) far = value;
  if (far === 0) {
    codes.fill(8);
    return { scale: 1, zero: 8 };
  }
  let best = -Infinity;
  let scale = 1;
  let start = far / -8;
  for (const largest of largestCodes) {
    const tried = far / largest;
    let product = 0;
    let square = 0;
    for (const value of block) {
      const code = clamp(Math.round(value / tried), -8, 7);
      product += code * value;
      square += code * code;
    }
    // The squared error falls by this much from that of zeros.
    const gain = (product * product) / square;
    if (gain <= best) continue;
    best = gain;
    scale = product / square;
    start = tried;
  }
  for (let at = 0; at < block.length; at++) codes[at] = clamp(Math.round(block[at]! / start), -8, 7) + 8;
  return { scale, zero: 8 };
}

/** From the least weight to the largest; 0 is always among the values. */
function fitRange(block: Float32Array, codes: Uint8Array): Fit {
  let least = 0;
  let most = 0;
  for (const value of block) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const scale = most > least ? (most - least) / 15 : 1;
  const zero = clamp(Math.round(-least / scale), 0, 15);
  for (let at = 0; at < block.length; at++) codes[at] = clamp(Math.round(block[at]! / scale) + zero, 0, 15);
  return { scale, zero };
}

function clamp(value: number, least: number, most: number): number {
  return value < least ? least : value > most ? most : value;
}
