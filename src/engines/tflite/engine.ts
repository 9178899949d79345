import type { Device, Engine, EngineLoadOptions, EngineModel, LoadOptions } from "../../spec/engine.ts";
import type { HostedModel } from "../host/load.ts";
import { loadHosted } from "../host/load.ts";
import { refuseTflite } from "./refuse.ts";
import type { TfliteLibrary, TfliteSetup } from "./setup.ts";

export interface TfliteOptions {
  /** Where the packs are. May install what is missing; throws `engine_missing`. */
  readonly library: (device: Device, call: EngineLoadOptions) => Promise<TfliteLibrary>;
  /** The environment of the child processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface TfliteEngine extends Engine {
  load(model: EngineModel, options: LoadOptions, call?: EngineLoadOptions): Promise<HostedModel>;
}

/** LiteRT, in a child process for each loaded model. Loads no foreign code into this one. */
export function createTfliteEngine({ library, env, onNotice }: TfliteOptions): TfliteEngine {
  return {
    name: "tflite",
    refuse: refuseTflite,
    async load(model, options, call = {}) {
      const setup: TfliteSetup = { library: await library(options.device ?? "auto", call) };
      return await loadHosted({ entry: childEntry(), engine: "tflite", env, onNotice, setup, model, options }, call);
    },
  };
}

/** From source the child is TypeScript too. */
function childEntry(): URL {
  return new URL(`./child.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}
