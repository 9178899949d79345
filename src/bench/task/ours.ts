import type { Hearth } from "../../tasks/contract.ts";
import { leastCalls, runLoop } from "./loop.ts";
import type { TaskContestant } from "./measure.ts";
import type { Work } from "./work.ts";

export interface OurTasks extends TaskContestant {
  /** The engine that loaded the model and the device it runs on; undefined: it was never loaded. */
  readonly ran: { readonly engine: string; readonly device: string } | undefined;
}

export interface OurTasksOptions {
  readonly hearth: Hearth;
  readonly model: string;
  readonly tasks: readonly string[];
  /** Asked for when the model is loaded. */
  readonly work: (task: string) => Promise<Work>;
  readonly ms: number;
  readonly signal?: AbortSignal | undefined;
}

/** hearth through its public library: runtime, queue, child process and protocol are all in the figures. */
export function createOurTasks(options: OurTasksOptions): OurTasks {
  const { hearth, model, tasks, ms, signal } = options;
  const warm = new Set<string>();
  let ran: OurTasks["ran"];
  return {
    name: "hearth",
    tasks,
    get ran() {
      return ran;
    },
    async load() {
      warm.clear();
      const lease = await hearth.runtime.acquire({ model, keepAliveMs: Infinity, ...(signal && { signal }) });
      const { engine, device } = lease.loaded;
      ran = { engine, device };
      lease.release();
    },
    async measure(task, clients) {
      const work = await options.work(task);
      const call = async (index: number): Promise<void> => await work.call(hearth, index, signal);
      // The first calls pay for page faults and thread starts; they are part of no figure.
      if (!warm.has(task)) await runLoop(call, { clients: 1, ms: ms / 4, atLeast: 1, signal });
      warm.add(task);
      return await runLoop(call, { clients, ms, atLeast: leastCalls(clients), signal });
    },
    residentBytes: () => hearth.runtime.loaded().find(({ name }) => name === model)?.memory.residentBytes,
    async unload() {
      await hearth.runtime.stop(model);
    },
  };
}
