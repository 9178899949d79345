/** A tiny llama whose matrices are all of one type. */
import type { GgufContent, GgufTensorContent } from "../../../formats/gguf/encode.ts";
import type { GgmlTypeName } from "../../../formats/gguf/ggml.ts";
import { ggmlType, tensorBytes } from "../../../formats/gguf/ggml.ts";
import { modelBytes, tinyLlama } from "../../../../test/make-model.ts";
import { randomNormal, randomUniform } from "../../../../test/make-weights.ts";
import { toFloat32 } from "../weights/codecs/float.ts";
import { floatToHalf } from "../../../util/half.ts";
import { quantize } from "../weights/quantize.ts";

/** Where a block has its f16 factors, and how large each of them is beside the first, so that weights are around 0. */
type Factors = readonly (readonly [offset: number, times: number])[];

const factorsOf: Readonly<Partial<Record<GgmlTypeName, Factors>>> = {
  Q1_0: [[0, 1]],
  Q2_0: [[0, 1]],
  Q4_0: [[0, 1]],
  Q4_1: [[0, 1], [2, -7.5]],
  Q5_0: [[0, 1]],
  Q5_1: [[0, 1], [2, -15.5]],
  Q8_0: [[0, 1]],
  Q2_K: [[80, 1], [82, 1.5]],
  Q3_K: [[108, 1]],
  Q4_K: [[0, 1], [2, 7.5]],
  Q5_K: [[0, 1], [2, 15.5]],
  Q6_K: [[208, 1]],
  IQ4_NL: [[0, 1]],
  IQ4_XS: [[0, 1]],
  IQ2_XXS: [[0, 1]],
  IQ2_XS: [[0, 1]],
  IQ2_S: [[0, 1]],
  IQ3_XXS: [[0, 1]],
  IQ3_S: [[0, 1]],
  IQ1_S: [[0, 1]],
  TQ1_0: [[52, 1]],
  TQ2_0: [[64, 1]],
};

/** Random codes, and factors that make the deviation of each block's weights about what is asked for. */
export function randomWeights(type: GgmlTypeName, shape: readonly number[], options: RandomOptions): Uint8Array {
  const { blockSize, blockBytes } = ggmlType(type);
  const bytes = new Uint8Array(tensorBytes(ggmlType(type), shape));
  const next = randomUniform(options.seed);
  if (type === "F32" || type === "F16" || type === "BF16") {
    const normal = randomNormal(options.seed);
    return quantize(type, Float32Array.from({ length: bytes.length / blockBytes }, () => options.deviation * normal()));
  }
  const values = new Float32Array(blockSize);
  for (let start = 0; start < bytes.length; start += blockBytes) {
    const block = bytes.subarray(start, start + blockBytes);
    for (let at = 0; at < blockBytes; at++) block[at] = options.fill ?? Math.floor(next() * 256);
    // Blocks differ in size by up to two.
    const wanted = options.deviation * (0.7 + 0.7 * next()) * (next() < 0.5 ? -1 : 1);
    setScale(type, block, 1);
    toFloat32(type, block, values);
    setScale(type, block, (wanted / (Math.hypot(...values) || 1)) * Math.sqrt(blockSize));
  }
  return bytes;
}

export interface RandomOptions {
  readonly deviation: number;
  readonly seed: number;
  /** What all bytes of the codes are. Default: random. */
  readonly fill?: number | undefined;
}

function setScale(type: GgmlTypeName, block: Uint8Array, scale: number): void {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const exponent = Math.round(Math.log2(Math.abs(scale)));
  switch (type) {
    case "MXFP4":
      return view.setUint8(0, 127 + exponent);
    case "NVFP4":
      for (let at = 0; at < 4; at++) view.setUint8(at, (exponent + 8) << 3);
      return;
    case "IQ1_M": {
      // The f16 factor stands in the upper four bits of four numbers.
      const half = floatToHalf(scale);
      for (let part = 0; part < 4; part++) {
        const at = 48 + part * 2;
        view.setUint16(at, (view.getUint16(at, true) & 0x0fff) | (((half >> (part * 4)) & 15) << 12), true);
      }
      return;
    }
    default:
      for (const [offset, times] of factorsOf[type] ?? []) view.setUint16(offset, floatToHalf(scale * times), true);
  }
}

/** One layer, 256 wide. Norms are float32, as everywhere. */
export function makeTyped(type: GgmlTypeName, seed = 1): Uint8Array<ArrayBuffer> {
  const { metadata, tensors }: GgufContent = tinyLlama({ layers: 1, embedding: 256, heads: 4, kvHeads: 2, context: 256, seed });
  const typed = tensors.map((tensor, index): GgufTensorContent => {
    const [k = 1, n] = tensor.shape;
    if (n === undefined) return tensor;
    const deviation = tensor.name === "token_embd.weight" ? 1 : 1 / Math.sqrt(k);
    return { ...tensor, type, data: randomWeights(type, tensor.shape, { deviation, seed: seed * 100 + index }) };
  });
  return modelBytes({ metadata, tensors: typed });
}
