import { ggmlType } from "../../../formats/gguf/ggml.ts";
import { floatToBrain, floatToHalf } from "../../../util/half.ts";
import type { ClassicType, EncodeBlock, KType } from "./quantize/code.ts";
import { classicEncoders } from "./quantize/classic.ts";
import { kEncoders } from "./quantize/k.ts";

export type WritableType = "F32" | "F16" | "BF16" | ClassicType | KType;

const encoders: Readonly<Record<ClassicType | KType, EncodeBlock>> = { ...classicEncoders, ...kEncoders };

/**
 * Weights in the bytes of a ggml type, for models that we make ourselves. The weights are finite; each is rounded to the
 * nearest code. K types search for scales with the least squared error, without an importance matrix.
 * RangeError: not whole blocks.
 */
export function quantize(type: WritableType, weights: Float32Array): Uint8Array {
  if (type === "F32") return new Uint8Array(weights.slice().buffer);
  if (type === "F16") return new Uint8Array(Uint16Array.from(weights, floatToHalf).buffer);
  if (type === "BF16") return new Uint8Array(Uint16Array.from(weights, floatToBrain).buffer);
  const { blockSize, blockBytes } = ggmlType(type);
  const blocks = weights.length / blockSize;
  if (!Number.isInteger(blocks)) throw new RangeError(`${weights.length} weights are not whole blocks of ${type}`);
  const out = new Uint8Array(blocks * blockBytes);
  const encode = encoders[type];
  for (let block = 0; block < blocks; block++) encode(weights, block * blockSize, out, block * blockBytes);
  return out;
}
