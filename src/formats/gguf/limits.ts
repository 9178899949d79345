/** Bounds far above what real models have and low enough that a hostile file costs nothing. */
export const limits = {
  /** Everything before the tensor data. The largest vocabularies known take about 20 MiB. */
  headerBytes: 256 * 1024 ** 2,
  keys: 16_384,
  keyBytes: 65_535,
  tensors: 65_536,
  /** ggml keeps names in 64 bytes, the last of them zero. */
  tensorNameBytes: 63,
  /** One string: a chat template or a license text at most. */
  stringBytes: 16 * 1024 ** 2,
  arrayElements: 2 ** 27,
  alignment: 65_536,
} as const;
