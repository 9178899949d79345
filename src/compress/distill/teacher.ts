/** Has the teacher read the text once. */
import type { Study } from "../../engines/flint/study.ts";
import { createMachine, createTrainMemory } from "../train/machine.ts";
import type { Answer } from "../train/loss.ts";
import { meanOf } from "../evaluate/statistics.ts";
import type { AnswerStore } from "./answers.ts";
import { findLikeliest, likeliestBytes } from "./likeliest.ts";
import type { LikeliestOptions } from "./likeliest.ts";

export interface Reading {
  readonly study: Study;
  readonly windows: readonly (readonly number[])[];
  readonly signal?: AbortSignal | undefined;
  /** Gets the part that is read. */
  readonly onPart: (part: number) => void;
}

export interface Asking extends Reading, LikeliestOptions {
  readonly module: WebAssembly.Module;
  readonly store: AnswerStore;
}

/** The rows of one window are looked at while the next one is computed. */
export async function askTeacher({ study, windows, signal, onPart, ...options }: Asking): Promise<void> {
  const { top, store, module, temperature } = options;
  const machine = createMachine(module, createTrainMemory(likeliestBytes(study.width)));
  const most = Math.max(...windows.map((window) => window.length - 1));
  const rooms = [0, 1].map(() => new SharedArrayBuffer(most * study.width * 4)) as [
    SharedArrayBuffer,
    SharedArrayBuffer,
  ];
  const read = (index: number) => {
    const tokens = windows[index];
    return tokens && study.score({ tokens, from: 1, logits: rooms[index & 1] }, signal);
  };
  let next = read(0);
  for (const [index, window] of windows.entries()) {
    await next;
    next = read(index + 1);
    // What goes wrong with it is said when it is waited for.
    next?.catch(() => undefined);
    const rows = window.length - 1;
    const all = { tokens: new Int32Array(rows * top), probabilities: new Float32Array(rows * top) };
    for (let row = 0; row < rows; row++) {
      const logits = new Float32Array(rooms[index & 1] as SharedArrayBuffer, row * study.width * 4, study.width);
      findLikeliest(machine, logits, partOf(all, row * top, top), { temperature, top });
    }
    store.write(all);
    onPart((index + 1) / windows.length);
  }
}

function partOf({ tokens, probabilities }: Answer, from: number, count: number): Answer {
  return {
    tokens: tokens.subarray(from, from + count),
    probabilities: probabilities.subarray(from, from + count),
  };
}

/** Cross-entropy of all windows, in nats for each token. */
export async function measureTeacher({ study, windows, signal, onPart }: Reading): Promise<number> {
  const logprobs: number[] = [];
  for (const [index, tokens] of windows.entries()) {
    const scores = await study.score({ tokens, from: 1 }, signal);
    for (const logprob of scores.logprobs) logprobs.push(logprob);
    onPart((index + 1) / windows.length);
  }
  return -meanOf(logprobs).value;
}
