/**
 * Seeded random weights, written straight as blocks of ggml: codes are random, scales make the weights' deviation what is
 * asked for. No quantizer and no float ever exists, so a gigabyte takes seconds.
 */
import { floatToHalf } from "../src/util/half.ts";
import { ggmlType, tensorBytes } from "../src/formats/gguf/ggml.ts";

export type BlockType = "Q4_0" | "Q8_0" | "Q4_K" | "Q6_K";

/** Where a block has its f16 factors and how large random codes are with a factor of 1. */
interface BlockShape {
  /** Byte offset → how many times the scale it is. */
  readonly factors: readonly (readonly [number, number])[];
  readonly deviation: number;
}

/** Deviations of: nibble - 8; int8; 6-bit scale × nibble - 7.5 × 6-bit minimum; int8 scale × (6-bit code - 32). */
const shapes: Readonly<Record<BlockType, BlockShape>> = {
  Q4_0: { factors: [[0, 1]], deviation: 4.64 },
  Q8_0: { factors: [[0, 1]], deviation: 73.9 },
  Q4_K: {
    factors: [
      [0, 1],
      [2, 7.5],
    ],
    deviation: 258,
  },
  Q6_K: { factors: [[208, 1]], deviation: 1366 },
};

export interface RandomTensor {
  readonly type: BlockType;
  readonly shape: readonly number[];
  /** Standard deviation of the weights. */
  readonly deviation: number;
  readonly seed: number;
}

const chunkBlocks = 16_384;

/** The bytes of a tensor, chunk by chunk. The same buffer holds each chunk. */
export async function* randomBlocks({ type, shape, deviation, seed }: RandomTensor): AsyncGenerator<Uint8Array> {
  const { blockBytes } = ggmlType(type);
  const { factors, deviation: unit } = shapes[type];
  const blocks = tensorBytes(ggmlType(type), shape) / blockBytes;
  const bytes = new Uint8Array(Math.min(blocks, chunkBlocks) * blockBytes);
  const view = new DataView(bytes.buffer);
  const fill = createFill(seed);
  for (let done = 0; done < blocks; done += chunkBlocks) {
    const count = Math.min(chunkBlocks, blocks - done);
    fill(bytes);
    for (let block = 0; block < count; block++) {
      const start = block * blockBytes;
      // Scales differ by up to a half, and their sign is random, so that the mean of the weights is 0.
      const turn = (bytes[start] ?? 0) / 256;
      const scale = (deviation / unit) * (0.5 + turn) * ((bytes[start + 1] ?? 0) < 128 ? -1 : 1);
      for (const [offset, times] of factors) view.setUint16(start + offset, floatToHalf(scale * times), true);
    }
    yield bytes.subarray(0, count * blockBytes);
  }
}

/** Fills a buffer with xorshift32 of George Marsaglia. */
function createFill(seed: number): (bytes: Uint8Array) => void {
  let state = Math.imul(seed + 1, 0x9e3779b9) | 1;
  return (bytes) => {
    const words = new Int32Array(bytes.buffer, 0, bytes.length >> 2);
    for (let index = 0; index < words.length; index++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[index] = state;
    }
  };
}
