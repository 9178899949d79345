interface TfliteLimits {
  /** Tables, and elements of vectors other than data, all told. */
  readonly values: number;
  readonly textBytes: number;
  readonly dimensions: number;
  readonly elements: number;
  readonly subgraphs: number;
  /** Options of one operator: a custom one may carry a small table. */
  readonly optionsBytes: number;
  /** Text files that travel with a model: labels, vocabularies. */
  readonly fileBytes: number;
}

/** Bounds far above what real models have and low enough that a hostile file costs little. */
export const limits: TfliteLimits = {
  values: 2 ** 23,
  textBytes: 1024 ** 2,
  dimensions: 32,
  elements: 2 ** 40,
  subgraphs: 4096,
  optionsBytes: 16 * 1024 ** 2,
  fileBytes: 16 * 1024 ** 2,
};

/** The only version of the schema that is in use; older ones are of 2017. */
export const schemaVersion = 3;
