import { elementBits } from "./types.ts";
import type { SafetensorsType } from "./types.ts";

export interface TensorToWrite {
  readonly name: string;
  readonly dtype: SafetensorsType;
  /** Elements per dimension, the contiguous one last. */
  readonly shape: readonly number[];
}

/** Bytes of the data of a tensor. */
export function dataBytes({ dtype, shape }: Omit<TensorToWrite, "name">): number {
  return shape.reduce((product, dimension) => product * dimension, elementBits[dtype]) / 8;
}

/**
 * The start of a SafeTensors file: the data of the tensors follows in the order given, without gaps. Filled up with spaces,
 * so that data starts at a multiple of 8 bytes.
 */
export function encodeSafetensorsHeader(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Uint8Array {
  let offset = 0;
  const entries = tensors.map(({ name, dtype, shape }) => {
    const begin = offset;
    offset += dataBytes({ dtype, shape });
    return [name, { dtype, shape, data_offsets: [begin, offset] }] as const;
  });
  const json = new TextEncoder().encode(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) }));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}
