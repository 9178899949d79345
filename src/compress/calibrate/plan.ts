/** What a model's matrices will be, known before the first weight is read. */
import { checkModel } from "../../engines/flint/check.ts";
import { createGgufTokenizer } from "../../engines/flint/tokenizer/gguf.ts";
import { HearthError } from "../../error.ts";
import { printable } from "../../formats/gguf/malformed.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { Text } from "../evaluate/text.ts";
import { cutWindows } from "../evaluate/text.ts";
import { leastTokens } from "../imatrix/collect.ts";
import { isQuantized } from "../quantize/choose.ts";
import type { Method } from "./contract.ts";
import { groupsOf, wholeRow } from "./grid.ts";
import { recordBytes } from "./sink.ts";
import { traceModel } from "./trace.ts";
import type { LinearStep, Trace } from "./trace.ts";
import type { Grid } from "./work.ts";

export interface Plan {
  readonly trace: Trace;
  /** Weights of the matrices that become codes, and of all tensors. */
  readonly codedWeights: number;
  readonly weights: number;
  readonly sourceBytes: number;
  /** Of the new tensors; and of what is kept until they are written. */
  readonly dataBytes: number;
  readonly scratchBytes: number;
}

export interface PlanOptions {
  readonly name: string;
  readonly method: Method;
  readonly grid: Grid;
  readonly allowRequantize: boolean;
}

/**
 * Throws `bad_request` for weights that are quantized already and for a group that does not divide the rows, and
 * `model_unsupported` for models that the formats have no place for.
 */
export function planCalibration(file: GgufFile, options: PlanOptions): Plan {
  const { name, grid, allowRequantize } = options;
  const { architecture, hyperparameters } = checkModel(file);
  const trace = traceModel(name, (graph) => architecture.build(graph, hyperparameters));
  const steps = linearSteps(trace);
  const coded = new Set(steps.map(({ weight }) => weight.name));
  const again = file.tensors.find((tensor) => coded.has(tensor.name) && isQuantized(tensor.typeName));
  if (again && !allowRequantize) throw twice(name, again.name, again.typeName);
  for (const step of steps) checkShape(step, options);
  const counts = file.tensors.map((tensor) => ({
    ...tensor,
    count: tensor.shape.reduce((product, size) => product * size, 1),
  }));
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const matrices = counts.filter((tensor) => coded.has(tensor.name));
  const records = matrices.map(
    ({ shape: [k = 0, n = 0] }) => n * recordBytes({ k, bits: grid.bits, groups: groupsOf(k, grid) }),
  );
  const columns = options.method === "awq" ? 0 : sum(matrices.map(({ shape: [k = 0] }) => k * 4));
  return {
    trace,
    codedWeights: sum(matrices.map(({ count }) => count)),
    weights: sum(counts.map(({ count }) => count)),
    sourceBytes: sum(counts.map(({ sizeBytes }) => sizeBytes)),
    dataBytes:
      sum(records) + columns + sum(counts.filter(({ name: own }) => !coded.has(own)).map(({ count }) => count * 2)),
    scratchBytes: sum(records),
  };
}

export function linearSteps({ layers }: Trace): readonly LinearStep[] {
  return layers.flat().filter((step) => step.kind === "linear");
}

function twice(model: string, tensor: string, type: string): HearthError {
  return new HearthError("bad_request", `${model} is quantized already: ${printable(tensor)} is ${type}.`, {
    hint: "Take the model in F16, BF16 or F32; or say --allow-requantize, which costs quality.",
  });
}

/** Codes of eight outputs or inputs share a word; kernels of others want whole words of 32 inputs. */
const unit = 32;

function checkShape({ weight: { name, k, n } }: LinearStep, { method, grid: { group } }: PlanOptions): void {
  const shown = printable(name);
  if (k % unit !== 0 || n % 8 !== 0) {
    throw new HearthError(
      "model_unsupported",
      `${shown} has ${n} rows of ${k} weights, which do not fill whole words.`,
      {
        hint: "Quantize it to GGUF: `hearth quantize MODEL --type q4_k_m`.",
        details: { field: shown },
      },
    );
  }
  if (method !== "awq" || group === wholeRow || k % group === 0) return;
  const fitting = [128, 64, 32].filter((size) => k % size === 0);
  throw new HearthError("bad_request", `${shown} has rows of ${k} weights, which are no whole groups of ${group}.`, {
    hint: `AWQ has no groups that are shorter than the others. Say --group ${fitting[0] ?? -1}.`,
    details: { field: shown },
  });
}

/** Tokens of a window, and the windows that are enough. */
const windowTokens = 512;
const mostWindows = 48;

export interface Windows {
  readonly windows: readonly (readonly number[])[];
  readonly tokens: number;
}

/** Throws `bad_request` for a text that is too short. */
export function calibrationWindows(file: GgufFile, text: Text): Windows {
  const { hyperparameters } = checkModel(file);
  const size = Math.min(windowTokens, hyperparameters.trainContextTokens || windowTokens);
  const tokenizer = createGgufTokenizer(file.metadata);
  const windows = spread(cutWindows(text.text, { tokenizer }, { size, most: Infinity }));
  const tokens = windows.length * size;
  if (tokens >= leastTokens) return { windows, tokens };
  throw new HearthError(
    "bad_request",
    `${text.name} gives ${tokens} tokens in windows of ${size}; at least ${leastTokens} are needed.`,
    {
      hint: `Take a longer text, of the kind that the model will be used for: ${mostWindows * windowTokens} tokens are enough.`,
      details: { tokens, neededTokens: leastTokens },
    },
  );
}

/** Of a longer text some of all parts. */
function spread<T>(all: readonly T[]): readonly T[] {
  const step = Math.max(1, all.length / mostWindows);
  return Array.from({ length: Math.min(all.length, mostWindows) }, (_, index) => all[Math.floor(index * step)]!);
}
