import { ggmlType } from "../../../formats/gguf/ggml.ts";
import { createQuantizeMachine } from "./quantize/machine.ts";
import type { QuantizeMachine, WritableType } from "./quantize/machine.ts";

export type { WritableType } from "./quantize/machine.ts";

const chunk = 64 * 1024;
let machine: QuantizeMachine | undefined;

/**
 * Weights in the bytes of a ggml type, at once and in this thread. Quantized types get the scales with the least weighted
 * squared error that a search finds. The weights are finite. RangeError: not whole blocks.
 */
export function quantize(type: WritableType, weights: Float32Array): Uint8Array {
  const { blockSize, blockBytes } = ggmlType(type);
  const blocks = weights.length / blockSize;
  if (!Number.isInteger(blocks)) throw new RangeError(`${weights.length} weights are not whole blocks of ${type}`);
  machine ??= createQuantizeMachine(chunk);
  const out = new Uint8Array(blocks * blockBytes);
  for (let start = 0; start < weights.length; start += chunk) {
    const part = weights.subarray(start, start + chunk);
    machine.weights.set(part);
    machine.write({ type, k: blockSize }, part.length, out.subarray((start / blockSize) * blockBytes));
  }
  return out;
}
