import type { Device, Engine, EngineLoadOptions, EngineModel, LoadOptions } from "../../spec/engine.ts";
import type { HostedModel } from "../host/load.ts";
import { loadHosted } from "../host/load.ts";
import { refuseLlama } from "./refuse.ts";
import type { LlamaLibrary, LlamaSetup } from "./setup.ts";

export interface LlamaOptions {
  /** Ways to run llama.cpp on a device, best first. May install what is missing; throws `engine_missing`. */
  readonly libraries: (device: Device, call: EngineLoadOptions) => Promise<readonly LlamaLibrary[]>;
  /** The environment of the child processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface LlamaEngine extends Engine {
  load(model: EngineModel, options: LoadOptions, call?: EngineLoadOptions): Promise<HostedModel>;
}

/**
 * llama.cpp's threads meet hundreds of times a token, and OpenMP lets them spin for milliseconds while they wait. Where
 * another process holds a core, that wait burns the time slice that the missing thread needs: 2 threads on 2 busy cores
 * made 0.7 tokens a second, and 17 to 19 with this. On a quiet machine it makes no difference that could be measured.
 */
const threading: Readonly<Record<string, string>> = { GOMP_SPINCOUNT: "1000" };

/** llama.cpp through node-llama-cpp, in a child process for each loaded model. Loads no native code into this one. */
export function createLlamaEngine({ libraries, env, onNotice }: LlamaOptions): LlamaEngine {
  return {
    name: "llama",
    refuse: refuseLlama,
    async load(model, options, call = {}) {
      const setup: LlamaSetup = { libraries: await libraries(options.device ?? "auto", call) };
      const host = { entry: childEntry(), engine: "llama", env: { ...threading, ...env }, onNotice } as const;
      return await loadHosted({ ...host, setup, model, options }, call);
    },
  };
}

/** From source the child is TypeScript too. */
function childEntry(): URL {
  return new URL(`./child.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}
