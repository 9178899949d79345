import type { LoadOptions } from "../spec/engine.ts";
import type { Hearth } from "../tasks/contract.ts";
import type { Contestant } from "./measure.ts";
import { surely } from "./workload.ts";

export interface Ours extends Contestant {
  /** The engine that really loaded the model; undefined: it was never loaded. */
  readonly engine: string | undefined;
}

/**
 * For loads whose prompts are to be computed in every run, not read from disk, and their answers token by token: after a
 * random prompt a greedy answer repeats itself, and would be guessed as no real one is.
 */
export const uncached: LoadOptions = { diskCache: { folder: "", mostBytes: 0 }, speculation: "off" };

/** hearth through its public library: runtime, queue, child process and protocol are all in the figures. */
export function createOurs(hearth: Hearth, model: string, load: LoadOptions): Ours {
  let engine: string | undefined;
  return {
    name: "hearth",
    get engine() {
      return engine;
    },
    async load() {
      const lease = await hearth.runtime.acquire({ model, load, keepAliveMs: Infinity });
      ({ engine } = lease.loaded);
      lease.release();
    },
    async generate({ prompt, tokens, answer, user }, onToken) {
      const events = hearth.complete({
        model,
        load,
        prompt,
        maxTokens: tokens,
        ignoreEos: true,
        sampling: { temperature: 0, ...(answer !== undefined && { logitBias: new Map([[answer, surely]]) }) },
        keepAliveMs: Infinity,
        ...(user !== undefined && { tenant: `user ${user}` }),
      });
      let seen = 0;
      for await (const event of events) {
        if (event.type === "text-delta") {
          seen++;
          onToken();
        }
        // Tokens whose text is empty or joined to the next one's carry no delta of their own.
        if (event.type === "finish") for (; seen < event.usage.completionTokens; seen++) onToken(true);
      }
    },
    residentBytes: () => hearth.runtime.loaded().find(({ name }) => name === model)?.memory.residentBytes,
    async unload() {
      await hearth.runtime.stop(model);
    },
  };
}
