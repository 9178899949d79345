/** Memory that threads share and that is used again: the collector does not know how much hangs on such a buffer. */

export interface Arena {
  /** What is in it is what was there before. */
  floats(length: number): Float32Array;
  bytes(length: number): Uint8Array;
  /** Ends the use of arrays that came from here; others are ignored. */
  release(...arrays: readonly (Float32Array | Uint8Array)[]): void;
}

export function createArena(): Arena {
  const free = new Map<number, SharedArrayBuffer[]>();
  const used = new Set<ArrayBufferLike>();
  const take = (bytes: number): SharedArrayBuffer => {
    const buffer = free.get(bytes)?.pop() ?? new SharedArrayBuffer(bytes);
    used.add(buffer);
    return buffer;
  };
  return {
    floats: (length) => new Float32Array(take(length * 4)),
    bytes: (length) => new Uint8Array(take(length)),
    release(...arrays) {
      for (const { buffer } of arrays) {
        if (!(buffer instanceof SharedArrayBuffer) || !used.delete(buffer)) continue;
        const known = free.get(buffer.byteLength);
        if (known) known.push(buffer);
        else free.set(buffer.byteLength, [buffer]);
      }
    },
  };
}
