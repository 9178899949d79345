import { didYouMean } from "../../util/distance.ts";
import type { Device, Engine, EngineLoadOptions, EngineModel, LoadOptions } from "../../spec/engine.ts";
import type { ModelInfo } from "../../spec/model.ts";
import type { HostedModel } from "../host/load.ts";
import { loadHosted } from "../host/load.ts";
import { llamaArchitectures } from "./architectures.ts";
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

/** llama.cpp through node-llama-cpp, in a child process for each loaded model. Loads no native code into this one. */
export function createLlamaEngine({ libraries, env, onNotice }: LlamaOptions): LlamaEngine {
  return {
    name: "llama",
    refuse: refuseLlama,
    async load(model, options, call = {}) {
      const setup: LlamaSetup = { libraries: await libraries(options.device ?? "auto", call) };
      return await loadHosted({ entry: childEntry(), engine: "llama", env, onNotice, setup, model, options }, call);
    },
  };
}

/** From source the child is TypeScript too. */
function childEntry(): URL {
  return new URL(`./child.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}

export function refuseLlama(info: ModelInfo, device: Device): string | undefined {
  if (info.format !== "gguf") return `llama.cpp runs GGUF files, not ${info.format}`;
  if (!llamaArchitectures.has(info.architecture)) {
    const known = [...llamaArchitectures].join(", ");
    return `llama.cpp does not know the architecture "${info.architecture}".${didYouMean(info.architecture, llamaArchitectures)} Known: ${known}`;
  }
  if (device === "metal" && process.platform !== "darwin") return "Metal is there on Apple machines only";
  if (device === "cuda" && process.platform === "darwin") return "CUDA is not there on Apple machines";
  return undefined;
}
