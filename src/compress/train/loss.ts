/** What a row of logits costs, and what its logits get. */
import type { Machine } from "./machine.ts";

/** What the teacher says of the next token: its likeliest ones; all others are one bucket. */
export interface Answer {
  readonly tokens: Int32Array;
  /** At the temperature of the loss; their sum is at most 1. */
  readonly probabilities: Float32Array;
}

export interface LossOptions {
  /** Part of the divergence in the loss, 0 to 1; the rest is the cross-entropy. */
  readonly share: number;
  /** Of both distributions whose divergence is taken; it counts times the square (arXiv 1503.02531). */
  readonly temperature: number;
  /** Of this row. */
  readonly weight: number;
}

export interface Row {
  /** Address of the logits; with `reverse`, of what they get. */
  readonly logits: number;
  /** Room for one row. */
  readonly room: number;
  readonly width: number;
  readonly target: number;
  readonly answer: Answer | undefined;
  readonly options: LossOptions;
  readonly reverse: boolean;
}

export interface RowLoss {
  readonly crossEntropy: number;
  /** 0 without an answer. */
  readonly divergence: number;
}

const least = 1e-9;

export function rowLoss(machine: Machine, row: Row): RowLoss {
  const { logits, room, width, target, answer, options, reverse } = row;
  const { temperature } = options;
  const most = machine.call("largest", logits, width);
  const own = (machine.floats[logits / 4 + target] ?? 0) - most;
  const chosen = answer && readChosen(machine, { logits, most, answer, temperature });
  const soft = machine.call("exponentials", logits, most, 1 / temperature, room, width);
  const plain = temperature !== 1;
  const hard = plain ? machine.call("exponentials", logits, most, 1, logits, width) : soft;
  const bucket = chosen && answer && compareBuckets(answer, chosen, soft);
  if (reverse) reverseRow(machine, row, { soft, hard, plain, rest: bucket?.rest ?? 0, chosen });
  return { crossEntropy: Math.log(hard) - own, divergence: bucket?.divergence ?? 0 };
}

interface Choosing {
  readonly logits: number;
  readonly most: number;
  readonly answer: Answer;
  readonly temperature: number;
}

/** e^((logit − most) / temperature) of the tokens of the answer. */
function readChosen({ floats }: Machine, { logits, most, answer, temperature }: Choosing): Float64Array {
  const { tokens } = answer;
  const chosen = new Float64Array(tokens.length);
  for (let i = 0; i < tokens.length; i++) {
    chosen[i] = Math.exp((floats[logits / 4 + tokens[i]!]! - most) / temperature);
  }
  return chosen;
}

interface Buckets {
  readonly divergence: number;
  /** Of the bucket of all other tokens: what the teacher gives it for each unit that the student does. */
  readonly rest: number;
}

/** Σ p · log(p / q) over the likeliest tokens and the bucket of the others, in nats. */
function compareBuckets({ probabilities }: Answer, chosen: Float64Array, sum: number): Buckets {
  let divergence = 0;
  let teacher = 1;
  let student = 1;
  for (let i = 0; i < chosen.length; i++) {
    const p = probabilities[i]!;
    const q = chosen[i]! / sum;
    teacher -= p;
    student -= q;
    if (p > 0) divergence += p * Math.log(p / Math.max(q, 1e-30));
  }
  teacher = Math.max(teacher, 0);
  student = Math.max(student, least);
  if (teacher > 0) divergence += teacher * Math.log(teacher / student);
  return { divergence, rest: teacher / student };
}

interface Sums {
  readonly soft: number;
  readonly hard: number;
  /** Whether the cross-entropy has exponentials of its own, in the place of the logits. */
  readonly plain: boolean;
  readonly rest: number;
  readonly chosen: Float64Array | undefined;
}

/**
 * Of the divergence, times the temperature's square: T · (q · (1 − rest)) for the tokens of the bucket and T · (q − p)
 * for the others; of the cross-entropy q − 1 for the next token and q for the others.
 */
function reverseRow(machine: Machine, row: Row, { soft, hard, plain, rest, chosen }: Sums): void {
  const { logits, room, width, target, answer, options } = row;
  const { temperature, weight } = options;
  const share = answer ? options.share : 0;
  const softFactor = (weight * share * temperature) / soft;
  const hardFactor = (weight * (1 - share)) / hard;
  if (plain) {
    machine.call("scale", logits, hardFactor, logits, width);
    machine.call("add-scaled", room, softFactor * (1 - rest), logits, width);
  } else machine.call("scale", room, softFactor * (1 - rest) + hardFactor, logits, width);
  const { floats } = machine;
  const at = logits / 4;
  if (answer && chosen) {
    const { tokens, probabilities } = answer;
    for (let i = 0; i < tokens.length; i++) {
      floats[at + tokens[i]!]! += softFactor * (chosen[i]! * rest - probabilities[i]! * soft);
    }
  }
  floats[at + target]! -= weight * (1 - share);
}
