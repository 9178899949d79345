/** Bytes that are read in pieces: a file, or what is in memory. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** Fills `target` with the bytes from `offset` on, which is asked for within the size only. */
  readonly read: (offset: number, target: Uint8Array) => void;
}

export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    sizeBytes: bytes.length,
    read: (offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
  };
}
