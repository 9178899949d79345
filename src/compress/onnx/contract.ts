/** Words of the work with ONNX models: what runs in a child process, and what comes back. */
import type { Port, Tensors } from "../../engines/onnx/session.ts";
import type { Range } from "./ranges.ts";

/** Inputs for a model. */
export type Samples =
  /** A file of arrays, or a folder of such. */
  | { readonly kind: "path"; readonly path: string; readonly most: number }
  | { readonly kind: "made"; readonly feeds: readonly Tensors[] };

export interface RangesJob {
  /** A model whose outputs are the values that are asked for. */
  readonly path: string;
  readonly values: readonly string[];
}

export interface CompareJob {
  readonly reference: string;
  readonly model: string;
}

/** Work with ONNX Runtime, which is in a process of its own. */
export type OnnxJob = (({ readonly task: "ranges" } & RangesJob) | ({ readonly task: "compare" } & CompareJob)) & {
  /** Module of the runtime, as a URL. */
  readonly module: string;
  readonly samples: Samples;
  readonly inputs: readonly Port[];
  readonly threads: number;
};

export interface OnnxResults {
  readonly ranges: { readonly samples: number; readonly ranges: ReadonlyMap<string, Range> };
  readonly compare: OnnxComparison;
}

/** How far an output is from that of the reference. */
export interface OutputDifference {
  readonly name: string;
  /** Of all numbers of an output as one vector: mean over the samples, and the least. */
  readonly cosine: { readonly mean: number; readonly least: number };
  readonly maxError: number;
  /** Root of the mean square of the errors, in parts of that of the reference. */
  readonly relativeError: number;
  /** Part of the rows whose largest number is at the same place; absent where rows are single numbers. */
  readonly agreement?: number;
}

export interface OnnxComparison {
  readonly samples: number;
  readonly outputs: readonly OutputDifference[];
  /** Mean time of a run. */
  readonly referenceMs: number;
  readonly modelMs: number;
}
