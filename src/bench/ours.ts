import type { LoadOptions } from "../spec/engine.ts";
import type { Hearth } from "../tasks/contract.ts";
import type { Contestant } from "./measure.ts";

export interface Ours extends Contestant {
  /** The engine that really loaded the model; undefined: it was never loaded. */
  readonly engine: string | undefined;
}

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
    async generate(prompt, tokens, onToken) {
      const events = hearth.complete({
        model,
        load,
        prompt,
        maxTokens: tokens,
        ignoreEos: true,
        sampling: { temperature: 0 },
        keepAliveMs: Infinity,
      });
      let seen = 0;
      for await (const event of events) {
        if (event.type === "text-delta") {
          seen++;
          onToken();
        }
        // Tokens whose text is empty or joined to the next one's carry no delta of their own.
        if (event.type === "finish") for (; seen < event.usage.completionTokens; seen++) onToken();
      }
    },
    residentBytes: () => hearth.runtime.loaded().find(({ name }) => name === model)?.memory.residentBytes,
    async unload() {
      await hearth.runtime.stop(model);
    },
  };
}
