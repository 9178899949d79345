/** What is asked of a calibration and what it reports. */

/** `nearest`: no calibration, the nearest codes; the others are measured against it. */
export type Method = "gptq" | "awq" | "nearest";

export interface CalibrateReport {
  readonly path: string;
  readonly method: Method;
  readonly bits: number;
  /** Columns that share a scale; -1: all of a row. */
  readonly group: number;
  /** Of the text. */
  readonly tokens: number;
  readonly sizeBytes: number;
  readonly sourceBytes: number;
  readonly weights: number;
  /** Weights that are codes now. */
  readonly codedWeights: number;
  readonly bitsPerWeight: number;
  /** What could not be written, one sentence each. */
  readonly notes: readonly string[];
  readonly ms: number;
}
