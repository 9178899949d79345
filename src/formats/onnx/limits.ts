interface OnnxLimits {
  /** A protocol buffer cannot be longer. */
  readonly fileBytes: number;
  /** Fields of messages and elements of lists that are read, all told. */
  readonly values: number;
  /** Names, documentation and text attributes, all told. */
  readonly textBytes: number;
  readonly nameBytes: number;
  readonly documentationBytes: number;
  /** A text attribute can be a whole program of another accelerator or a vocabulary. */
  readonly attributeBytes: number;
  /** Graphs within graphs. */
  readonly depth: number;
  /** Sequences of maps of sequences … */
  readonly typeDepth: number;
  readonly dimensions: number;
  readonly elements: number;
  /** Nodes after all functions are put in the place of their calls. */
  readonly nodes: number;
  readonly opset: number;
}

/** Bounds far above what real models have and low enough that a hostile file costs little. */
export const limits: OnnxLimits = {
  fileBytes: 2 ** 31 - 1,
  values: 2 ** 23,
  textBytes: 64 * 1024 ** 2,
  nameBytes: 4096,
  documentationBytes: 4 * 1024 ** 2,
  attributeBytes: 32 * 1024 ** 2,
  depth: 16,
  typeDepth: 8,
  dimensions: 32,
  elements: 2 ** 40,
  nodes: 2 ** 20,
  opset: 1000,
};

/** Versions of the format: 3 is of ONNX 1.0, of 2017. */
export const irVersions = { first: 3, last: 13 } as const;
