export interface GgufLimits {
  /** Everything before the tensor data. The largest vocabularies known take about 20 MiB. */
  readonly headerBytes: number;
  readonly keys: number;
  readonly keyBytes: number;
  readonly tensors: number;
  /** ggml keeps names in 64 bytes, the last of them zero. */
  readonly tensorNameBytes: number;
  /** One string: a chat template or a license text at most. */
  readonly stringBytes: number;
  readonly arrayElements: number;
  readonly alignment: number;
  /** One token of the vocabulary. */
  readonly tokenBytes: number;
}

/** Bounds far above what real models have and low enough that a hostile file costs nothing. */
export const limits: GgufLimits = {
  headerBytes: 256 * 1024 ** 2,
  keys: 16_384,
  keyBytes: 65_535,
  tensors: 65_536,
  tensorNameBytes: 63,
  stringBytes: 16 * 1024 ** 2,
  arrayElements: 2 ** 27,
  alignment: 65_536,
  tokenBytes: 64 * 1024,
};
