/** What is known of how much each column of a matrix counts. */

/** Sums over the activations that a matrix was multiplied with. */
export interface ImportanceEntry {
  /** Of the squares of each column: as many as a row has, for each matrix that stands behind the others (experts). */
  readonly sums: Float32Array;
  /** Rows that were summed, for each matrix. */
  readonly counts: Float32Array;
}

export interface ImportanceFile {
  /** Name of the tensor → what was gathered. */
  readonly entries: ReadonlyMap<string, ImportanceEntry>;
  /** Names of the texts. */
  readonly datasets: readonly string[];
  /** Pieces of text that were computed, and tokens of each. */
  readonly chunks: number;
  readonly chunkTokens: number;
}
