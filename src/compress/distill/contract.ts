/** A smaller language model that learns from a larger one. */
import type { Progress } from "../../spec/model.ts";
import type { NamedModel } from "../evaluate/evaluate.ts";
import type { Text } from "../evaluate/text.ts";
import type { OutputFile } from "../output.ts";
import type { Parameters } from "../train/parameters.ts";

/** How a student learns. */
export interface LearnSettings {
  readonly seed: number;
  readonly steps: number;
  /** Windows of a step. */
  readonly batch: number;
  /** Tokens that are computed together. */
  readonly window: number;
  /** Narrow side of the matrices beside those of the student. */
  readonly rank: number;
  /** The largest rate of learning. */
  readonly rate: number;
  /** Of the distributions that are compared. */
  readonly temperature: number;
  /** Part of the teacher's answers in the loss, 0 to 1; the rest is the text itself. */
  readonly share: number;
  /** Likeliest tokens of the teacher at each place; all others are one bucket. */
  readonly top: number;
}

export type GivenSettings = { readonly [Name in keyof LearnSettings]?: LearnSettings[Name] | undefined };

export interface LearnOptions {
  readonly teacher: NamedModel;
  readonly student: NamedModel;
  readonly text: Text;
  /** Default: the last tenth of the text, which is then not learned from. */
  readonly heldOut?: Text | undefined;
  readonly threads: number;
  /** For what the teacher says. */
  readonly folder: string;
  readonly learning?: GivenSettings | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Cross-entropy of the held-out text, in nats for each token. */
export interface HeldFacts {
  readonly name: string;
  readonly tokens: number;
  readonly teacher: number;
  readonly before: number;
  readonly after: number;
  /** (before − after) / (before − teacher); absent where the student was no worse than the teacher. */
  readonly recovered?: number;
}

export interface LearnFacts {
  readonly teacher: string;
  readonly student: string;
  readonly heldOut: HeldFacts;
  readonly steps: number;
  /** The step whose parameters were kept; 0: nothing was gained. */
  readonly bestStep: number;
  readonly stepMs: number;
  /** Tokens of a step, and of the text that was learned from, each counted once. */
  readonly stepTokens: number;
  readonly textTokens: number;
  readonly parameters: number;
}

/** What was learned, apart from the student. */
export interface Learned {
  readonly parameters: Parameters;
  readonly values: Float32Array;
  readonly facts: LearnFacts;
}

export interface DistillOptions extends LearnOptions {
  /** A GGUF file where the name ends so, else a folder. */
  readonly out: string;
  readonly freeBytes?: OutputFile["freeBytes"];
}

export interface DistillReport extends LearnFacts {
  readonly path: string;
  readonly sizeBytes: number;
  readonly notes: readonly string[];
  readonly ms: number;
}
