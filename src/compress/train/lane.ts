/** The work of one thread: windows of a text forwards and backwards, and its share of the parameters. */
import type { Value } from "../../engines/flint/graph/graph.ts";
import type { AdamOptions, Range } from "./adam.ts";
import { sumGradients, updateParameters } from "./adam.ts";
import type { Answer, LossOptions } from "./loss.ts";
import type { Machine } from "./machine.ts";
import type { Multiply } from "./multiply.ts";
import { createMultiply } from "./multiply.ts";
import { reverseAttention, runAttention } from "./operations/attention.ts";
import { reverseLinear, runLinear } from "./operations/linear.ts";
import type { LossSums } from "./operations/logits.ts";
import { runLogits } from "./operations/logits.ts";
import { reverseNorm, runNorm } from "./operations/norm.ts";
import type { Angles } from "./operations/rotate.ts";
import { createAngles } from "./operations/rotate.ts";
import { reverseAdd, reverseGated, reverseScale, runAdd, runEmbed, runGated, runScale } from "./operations/simple.ts";
import type { Pass, PlacedAdapter, PlacedNorm } from "./pass.ts";
import type { TrainSetup } from "./setup.ts";
import type { Attention, Operation } from "./tape.ts";

/** A window: each token but the last is a row, whose target is the one after it. */
export interface Example {
  readonly tokens: Int32Array;
  /** [rows, top] of the teacher; absent: only the text counts. */
  readonly answers?: Answer;
}

export interface RunOptions {
  readonly loss: LossOptions;
  /** Adds to the gradients of the thread. */
  readonly reverse: boolean;
}

export interface Lane {
  run(example: Example, options: RunOptions): LossSums;
  clearGradients(): void;
  /** Sums the gradients of all threads within the thread's share; gives the sum of their squares. */
  sum(): number;
  update(options: AdamOptions): void;
}

export interface LaneOptions {
  readonly machine: Machine;
  readonly setup: TrainSetup;
  readonly index: number;
}

export function createLane({ machine, setup, index }: LaneOptions): Lane {
  const place = setup.lanes[index];
  if (!place) throw new RangeError(`no thread ${index}`);
  const multiply = createMultiply(machine, place.panels);
  const angles = createAngleTable(machine, setup);
  const share = shareOf(setup, index);
  const arrays = viewsOf(machine, setup);
  return {
    run(example, options) {
      const rows = example.tokens.length - 1;
      if (rows < 1 || rows > setup.rows) throw new RangeError(`a window of ${rows + 1} tokens`);
      return runWindow(createPass({ machine, multiply, setup, index, rows }), { example, options, angles, setup });
    },
    clearGradients: () => void arrays.gradients[index]?.fill(0),
    sum: () => sumGradients(arrays.gradients, share),
    update: (options) => updateParameters(arrays, share, options),
  };
}

/** Whole cache lines, as even as that goes. */
function shareOf({ parameters, lanes }: TrainSetup, index: number): Range {
  const lines = parameters.floats / 16;
  const cut = (part: number): number => Math.floor((lines * part) / lanes.length) * 16;
  return { from: cut(index), to: cut(index + 1) };
}

function viewsOf({ memory }: Machine, { parameters, parameterPlace, meanPlace, squarePlace, lanes }: TrainSetup) {
  const view = (address: number): Float32Array => new Float32Array(memory.buffer, address, parameters.floats);
  return {
    values: view(parameterPlace),
    means: view(meanPlace),
    squares: view(squarePlace),
    gradients: lanes.map(({ gradients }) => view(gradients)),
  };
}

function createAngleTable(machine: Machine, setup: TrainSetup): (operation: Attention) => Angles | undefined {
  const known = new Map<string, Angles>();
  return ({ rope }) => {
    if (!rope) return undefined;
    const key = JSON.stringify(rope);
    let angles = known.get(key);
    if (!angles) {
      const address = rope.factors && (setup.weights.get(rope.factors.name) ?? 0) / 4;
      const factors = address === undefined ? undefined : machine.floats.slice(address, address + rope.dimensions / 2);
      known.set(key, (angles = createAngles(rope, setup.rows, factors)));
    }
    return angles;
  };
}

interface PassOptions extends LaneOptions {
  readonly multiply: Multiply;
  readonly rows: number;
}

function createPass({ machine, multiply, setup, index, rows }: PassOptions): Pass {
  const { placement, parameters, parameterPlace, lanes, weights } = setup;
  const lane = lanes[index];
  if (!lane) throw new RangeError(`no thread ${index}`);
  const { rank, factor } = parameters;
  const adapters = new Map<number, PlacedAdapter>();
  const norms = new Map<number, PlacedNorm>();
  for (const item of parameters.list) {
    const values = (at: number): number => parameterPlace + at * 4;
    const gradients = (at: number): number => lane.gradients + at * 4;
    if (item.kind === "norm") {
      norms.set(item.operation, { item, weight: values(item.weight), gradient: gradients(item.weight) });
      continue;
    }
    const inner = lane.inner + adapters.size * setup.rows * rank * 4;
    const up = { up: values(item.up), upGradient: gradients(item.up) };
    const down = { down: values(item.down), downGradient: gradients(item.down) };
    adapters.set(item.operation, { item, rank, factor, inner, ...up, ...down });
  }
  const touched = new Set<number>();
  const address = (places: readonly number[], { id }: Value): number => lane.area + (places[id] ?? 0) * setup.rows * 4;
  return {
    machine,
    multiply,
    rows,
    scratch: lane.scratch,
    logitRows: setup.logitRows,
    valueOf: (value) => address(placement.values, value),
    gradientOf: (value) => address(placement.gradients, value),
    weightOf(name) {
      const found = weights.get(name);
      if (found === undefined) throw new RangeError(`no weights ${name}`);
      return found;
    },
    adapterOf: (operation) => adapters.get(operation),
    normOf(operation) {
      const norm = norms.get(operation);
      if (!norm) throw new RangeError(`operation ${operation} is no norm`);
      return norm;
    },
    touch({ id }) {
      const was = touched.has(id);
      touched.add(id);
      return was;
    },
  };
}

interface Window {
  readonly example: Example;
  readonly options: RunOptions;
  readonly angles: (operation: Attention) => Angles | undefined;
  readonly setup: TrainSetup;
}

function runWindow(pass: Pass, window: Window): LossSums {
  const { operations } = window.setup.tape;
  let sums: LossSums = { rows: 0, crossEntropy: 0, divergence: 0 };
  for (const [index, operation] of operations.entries()) {
    const found = runOne(pass, { operation, index, window });
    if (found) sums = found;
  }
  if (!window.options.reverse) return sums;
  for (let index = operations.length - 1; index >= 0; index--) {
    const operation = operations[index];
    if (operation) reverseOne(pass, { operation, index, window });
  }
  return sums;
}

interface One {
  readonly operation: Operation;
  readonly index: number;
  readonly window: Window;
}

function runOne(pass: Pass, { operation, index, window }: One): LossSums | undefined {
  const { example, options, angles } = window;
  switch (operation.kind) {
    case "embed":
      runEmbed(pass, operation, example.tokens);
      return undefined;
    case "norm":
      runNorm(pass, operation, pass.normOf(index));
      return undefined;
    case "linear":
      runLinear(pass, operation, pass.adapterOf(index));
      return undefined;
    case "add":
      runAdd(pass, operation);
      return undefined;
    case "scale":
      runScale(pass, operation);
      return undefined;
    case "gated":
      runGated(pass, operation);
      return undefined;
    case "attention":
      runAttention(pass, operation, angles(operation));
      return undefined;
    case "logits":
      return runLogits(pass, operation, {
        targets: example.tokens.subarray(1),
        answerOf: (row) => answerAt(example, row),
        options: options.loss,
        reverse: options.reverse,
      });
  }
}

function answerAt({ tokens, answers }: Example, row: number): Answer | undefined {
  if (!answers) return undefined;
  const top = answers.tokens.length / (tokens.length - 1);
  const [from, to] = [row * top, (row + 1) * top];
  return { tokens: answers.tokens.subarray(from, to), probabilities: answers.probabilities.subarray(from, to) };
}

function reverseOne(pass: Pass, { operation, index, window }: One): void {
  switch (operation.kind) {
    case "embed":
    case "logits":
      return;
    case "norm":
      return reverseNorm(pass, operation, pass.normOf(index));
    case "linear":
      return reverseLinear(pass, operation, pass.adapterOf(index));
    case "add":
      return reverseAdd(pass, operation);
    case "scale":
      return reverseScale(pass, operation);
    case "gated":
      return reverseGated(pass, operation);
    case "attention":
      return reverseAttention(pass, operation, window.angles(operation));
  }
}
