// Seeded random numbers and the simple weight types of ggml, for the models that tests write.

export type WeightType = "F32" | "F16" | "Q8_0" | "Q4_0";

/** `general.file_type` of a model in that type. */
export const weightFileType: Readonly<Record<WeightType, number>> = { F32: 0, F16: 1, Q4_0: 2, Q8_0: 7 };

export type Normal = () => number;

/** Uniform numbers in [0, 1) from a seed: mulberry32. */
export function randomUniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Normal numbers with mean 0 and deviation 1 (Box-Muller). */
export function randomNormal(seed: number): Normal {
  const uniform = randomUniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Rows whose length is a multiple of 32 for the quantized types. */
export function encodeWeights(values: Float32Array, type: WeightType): Uint8Array {
  switch (type) {
    case "F32":
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case "F16":
      return new Uint8Array(new Float16Array(values).buffer);
    case "Q8_0":
      return encodeBlocks(values, 34, encodeQ8Block);
    case "Q4_0":
      break;
  }
  return encodeBlocks(values, 18, encodeQ4Block);
}

type EncodeBlock = (block: Float32Array, out: DataView) => void;

function encodeBlocks(values: Float32Array, blockBytes: number, encode: EncodeBlock): Uint8Array {
  const count = values.length / 32;
  const bytes = new Uint8Array(count * blockBytes);
  for (let block = 0; block < count; block++) {
    const out = new DataView(bytes.buffer, block * blockBytes, blockBytes);
    encode(values.subarray(block * 32, block * 32 + 32), out);
  }
  return bytes;
}

function encodeQ8Block(block: Float32Array, out: DataView): void {
  let largest = 0;
  for (const value of block) largest = Math.max(largest, Math.abs(value));
  const scale = largest / 127;
  out.setFloat16(0, scale, true);
  for (const [index, value] of block.entries()) out.setInt8(2 + index, scale === 0 ? 0 : Math.round(value / scale));
}

/** The value of largest size becomes -8; weight i shares a byte with weight i + 16. */
function encodeQ4Block(block: Float32Array, out: DataView): void {
  let largest = 0;
  for (const value of block) if (Math.abs(value) > Math.abs(largest)) largest = value;
  const scale = largest / -8;
  out.setFloat16(0, scale, true);
  const code = (index: number): number =>
    scale === 0 ? 8 : Math.min(15, Math.max(0, Math.floor((block[index] ?? 0) / scale + 8.5)));
  for (let index = 0; index < 16; index++) out.setUint8(2 + index, code(index) | (code(index + 16) << 4));
}
