/** Trains a student on what a teacher says of a text. The models are in memory one after the other. */
import { modelAt } from "../../engines/flint/local.ts";
import { openStudy } from "../../engines/flint/study.ts";
import { createGgufTokenizer } from "../../engines/flint/tokenizer/gguf.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { Progress } from "../../spec/model.ts";
import { measured } from "../progress.ts";
import { openSource } from "../source.ts";
import type { SourcePath } from "../source.ts";
import type { Example } from "../train/lane.ts";
import { createTrainModule } from "../train/machine.ts";
import { train } from "../train/train.ts";
import type { TrainSetup } from "../train/setup.ts";
import type { TrainResult, TrainState } from "../train/train.ts";
import type { AnswerStore } from "./answers.ts";
import { openAnswerStore } from "./answers.ts";
import { checkSameTokens } from "./compare.ts";
import type { Learned, LearnFacts, LearnOptions, LearnSettings } from "./contract.ts";
import { completeSettings } from "./settings.ts";
import { checkMemory, openStudent, planStudent } from "./student.ts";
import { askTeacher, measureTeacher } from "./teacher.ts";
import { planWindows } from "./texts.ts";
import type { Windows } from "./texts.ts";

const looks = 8;
const patience = 3;
const decay = 0.01;

/**
 * Throws `bad_request` for models with different tokenizers and for texts that are too short, what the readers throw, and
 * `model_unsupported` and `out_of_memory` for a student that cannot be trained; all before anything is computed.
 */
export async function learn(options: LearnOptions): Promise<Learned> {
  const settings = completeSettings(options.learning);
  const { teacher, student, text, heldOut } = options;
  const { window, batch, steps } = settings;
  const { file, source } = await openSource(student.path);
  checkSameTokens(await modelAt(teacher.path, { name: teacher.name }).readHeader(), file);
  const lanes = Math.min(options.threads, batch);
  const setup = planStudent(file, { rows: window, lanes, rank: settings.rank });
  checkMemory(student.name, setup);
  const tokenizer = createGgufTokenizer(file.metadata);
  const sizes = { rows: window, most: steps * batch, leastLearned: 4 * batch };
  const windows = planWindows({ tokenizer }, { text, heldOut, ...sizes });
  const module = createTrainModule();
  const heard = await hearTeacher(options, { settings, windows, module });
  try {
    return await trainStudent(options, { settings, windows, module, file, source, setup, ...heard });
  } finally {
    heard.answers.close();
  }
}

interface Lesson {
  readonly settings: LearnSettings;
  readonly windows: Windows;
  readonly module: WebAssembly.Module;
}

interface Heard {
  readonly answers: AnswerStore;
  /** Of the teacher, of the held-out text. */
  readonly loss: number;
}

async function hearTeacher(options: LearnOptions, { settings, windows, module }: Lesson): Promise<Heard> {
  const { teacher, threads, folder, text, signal, onProgress } = options;
  const { window, temperature } = settings;
  const study = await openStudy(teacher.path, {
    name: teacher.name,
    contextTokens: window + 1,
    threads,
    signal,
    onProgress: (completedBytes) => onProgress?.({ phase: "load", label: teacher.name, completedBytes }),
  });
  try {
    const top = Math.min(settings.top, study.width);
    const { learned, held } = windows;
    const answers = await openAnswerStore({ folder, windows: learned.length, length: window * top });
    try {
      const onPart = (part: number): void => onProgress?.(measured(text, part));
      await askTeacher({ study, windows: learned, signal, module, store: answers, top, temperature, onPart });
      return { answers, loss: await measureTeacher({ study, windows: held, signal, onPart: () => undefined }) };
    } catch (error) {
      answers.close();
      throw error;
    }
  } finally {
    await study.dispose();
  }
}

interface Training extends Lesson, Heard {
  readonly file: GgufFile;
  readonly source: SourcePath;
  readonly setup: TrainSetup;
}

async function trainStudent(options: LearnOptions, training: Training): Promise<Learned> {
  const { student, signal, onProgress } = options;
  const { settings, windows, module, answers, setup } = training;
  const onPart = (part: number): void =>
    onProgress?.({ phase: "load", label: student.name, completedBytes: Math.round(part * setup.bytes) });
  const { crew, values } = await openStudent({ ...training, module, seed: settings.seed, onPart });
  try {
    const result = await train({
      crew,
      setup,
      values,
      windows: windows.learned.length,
      example: (index) => exampleOf(windows.learned[index] ?? [], answers, index),
      held: windows.held.map((tokens) => ({ tokens: Int32Array.from(tokens) })),
      options: { ...settings, loss: settings, looks, patience, decay },
      signal,
      onStep: (state) => onProgress?.(progressOf(student.name, settings.steps, state)),
    });
    return { parameters: setup.parameters, values: values.slice(), facts: factsOf(options, training, result) };
  } finally {
    await crew.end();
  }
}

function exampleOf(window: readonly number[], answers: AnswerStore, index: number): Example {
  return { tokens: Int32Array.from(window), answers: answers.read(index) };
}

function progressOf(label: string, steps: number, state: TrainState): Progress {
  const { step, crossEntropy, divergence, held } = state;
  const figures = [
    `loss ${crossEntropy.toFixed(3)}`,
    `divergence ${divergence.toFixed(3)}`,
    `held out ${held.toFixed(3)}`,
  ];
  return {
    phase: "train",
    label,
    completedBytes: step,
    totalBytes: steps,
    detail: figures.join(", "),
  };
}

function factsOf(options: LearnOptions, training: Training, result: TrainResult): LearnFacts {
  const { settings, windows, loss: teacher, setup } = training;
  const { held, heldName, learned } = windows;
  const { before, after, steps, bestStep, stepMs } = result;
  const tokens = held.reduce((sum, window) => sum + window.length - 1, 0);
  const recovered = before > teacher ? { recovered: (before - after) / (before - teacher) } : {};
  return {
    teacher: options.teacher.name,
    student: options.student.name,
    heldOut: { name: heldName, tokens, teacher, before, after, ...recovered },
    steps,
    bestStep,
    stepMs,
    stepTokens: settings.batch * settings.window,
    textTokens: learned.length * settings.window,
    parameters: setup.parameters.floats,
  };
}
