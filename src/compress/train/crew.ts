/** Threads that train side by side: each has windows of its own, all have the same weights. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { SerializedError } from "../../error.ts";
import { deserializeError } from "../../error.ts";
import type { AdamOptions } from "./adam.ts";
import type { Example, Lane, RunOptions } from "./lane.ts";
import { createLane } from "./lane.ts";
import { createMachine } from "./machine.ts";
import type { LossSums } from "./operations/logits.ts";
import type { TrainSetup } from "./setup.ts";

export type LaneTask =
  | { readonly type: "run"; readonly examples: readonly Example[]; readonly options: RunOptions }
  | { readonly type: "sum" }
  | { readonly type: "update"; readonly options: AdamOptions };

export type LaneReply =
  | { readonly type: "sums"; readonly sums: LossSums }
  /** Of the squares of the gradients. */
  | { readonly type: "squares"; readonly squares: number }
  | { readonly type: "updated" }
  | { readonly type: "error"; readonly error: SerializedError };

export interface LaneData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly setup: TrainSetup;
  readonly index: number;
}

export interface Crew {
  /** Window i goes to thread i modulo their number. With `reverse` gradients start anew. */
  run(examples: readonly Example[], options: RunOptions): Promise<LossSums>;
  /** Brings the gradients together; gives their length. */
  norm(): Promise<number>;
  update(options: AdamOptions): Promise<void>;
  end(): Promise<void>;
}

/** What a thread does with a task. */
export function runTask(lane: Lane, task: LaneTask): LaneReply {
  switch (task.type) {
    case "run": {
      if (task.options.reverse) lane.clearGradients();
      return { type: "sums", sums: addSums(task.examples.map((example) => lane.run(example, task.options))) };
    }
    case "sum":
      return { type: "squares", squares: lane.sum() };
    case "update":
      lane.update(task.options);
      return { type: "updated" };
  }
}

function addSums(list: readonly LossSums[]): LossSums {
  const total = { rows: 0, crossEntropy: 0, divergence: 0 };
  for (const sums of list) {
    total.rows += sums.rows;
    total.crossEntropy += sums.crossEntropy;
    total.divergence += sums.divergence;
  }
  return total;
}

type Ask = (index: number, task: LaneTask) => Promise<LaneReply>;

/** One thread for each lane of the setup. */
export function startCrew({ setup, ...shared }: Omit<LaneData, "index">): Crew {
  const entry = new URL(`./worker.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
  const workers = setup.lanes.map((_, index) => {
    const workerData: LaneData = { ...shared, setup, index };
    return new Worker(entry, { workerData });
  });
  const ask: Ask = async (index, task) => {
    const worker = workers[index];
    if (!worker) throw new RangeError(`no thread ${index}`);
    const answer = once(worker, "message");
    worker.postMessage(task);
    const [reply] = (await answer) as [LaneReply];
    if (reply.type === "error") throw deserializeError(reply.error);
    return reply;
  };
  return createCrew(setup.lanes.length, ask, async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
}

/** The same in the caller's thread, one lane after the other. */
export function createInlineCrew({ setup, module, memory }: Omit<LaneData, "index">): Crew {
  const machine = createMachine(module, memory);
  const lanes = setup.lanes.map((_, index) => createLane({ machine, setup, index }));
  const ask: Ask = async (index, task) => {
    const lane = lanes[index];
    if (!lane) throw new RangeError(`no lane ${index}`);
    return runTask(lane, task);
  };
  return createCrew(lanes.length, ask, async () => undefined);
}

function createCrew(count: number, ask: Ask, end: Crew["end"]): Crew {
  const all = async (taskOf: (index: number) => LaneTask): Promise<LaneReply[]> =>
    await Promise.all(Array.from({ length: count }, (_, index) => ask(index, taskOf(index))));
  return {
    async run(examples, options) {
      const replies = await all((lane) => ({
        type: "run",
        examples: examples.filter((_, index) => index % count === lane),
        options,
      }));
      return addSums(replies.flatMap((reply) => (reply.type === "sums" ? [reply.sums] : [])));
    },
    async norm() {
      const replies = await all(() => ({ type: "sum" }));
      return Math.sqrt(replies.reduce((sum, reply) => sum + (reply.type === "squares" ? reply.squares : 0), 0));
    },
    async update(options) {
      await all(() => ({ type: "update", options }));
    },
    end,
  };
}
