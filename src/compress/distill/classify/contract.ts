/** A classifier that is learned on top of a model of embeddings. */
import type { InstalledModel, ModelInfo, Progress } from "../../../spec/model.ts";
import type { NamedModel } from "../../evaluate/evaluate.ts";
import type { Mean } from "../../evaluate/statistics.ts";
import type { Text } from "../../evaluate/text.ts";
import type { OutputFile } from "../../output.ts";

/** The model of embeddings. */
export interface Student {
  readonly model: InstalledModel;
  readonly info: Pick<ModelInfo, "format" | "capabilities" | "pooling">;
  /** Vectors of length 1, and which texts were cut because they are too long. */
  readonly embed: (texts: readonly string[]) => Promise<Embedded>;
}

export interface Embedded {
  readonly vectors: readonly Float32Array[];
  readonly truncated: readonly number[];
}

export interface ClassifierOptions {
  readonly student: Student;
  /** Says which label texts without one have. A language model. */
  readonly teacher?: NamedModel | undefined;
  /** Lines of JSON, {"text", "label"}, or plain lines. */
  readonly text: Text;
  /** Default: a fifth of the texts, which is then not learned from. */
  readonly heldOut?: Text | undefined;
  /** Default: those of the text. */
  readonly labels?: readonly string[] | undefined;
  /** What the teacher is asked for, with the label in place of {}. */
  readonly ask?: string | undefined;
  /** Of the choice of held-out texts. */
  readonly seed?: number | undefined;
  /** The folder to make. */
  readonly out: string;
  readonly threads: number;
  readonly freeBytes?: OutputFile["freeBytes"];
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface HeldOutFacts {
  readonly name: string;
  readonly texts: number;
  /** Part of the texts with a given label for which that label is the likeliest. */
  readonly accuracy?: Mean;
  /** The same of the teacher. */
  readonly teacherAccuracy?: Mean;
  /** Part of the texts for which the teacher finds the same label the likeliest. */
  readonly agreement?: Mean;
  /** From the given labels, else from the teacher's probabilities; nats. */
  readonly crossEntropy: number;
}

export interface ClassifierReport {
  readonly path: string;
  readonly sizeBytes: number;
  readonly student: string;
  readonly teacher?: string;
  /** How many of the texts that were learned from have each label, given or found by the teacher. */
  readonly labels: Readonly<Record<string, number>>;
  readonly texts: number;
  readonly heldOut: HeldOutFacts;
  /** Weight of the squares of the matrix in the loss, and steps until it was the smallest. */
  readonly decay: number;
  readonly steps: number;
  readonly notes: readonly string[];
  readonly ms: number;
}
