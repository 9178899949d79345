import type { Engine, EngineLoadOptions, EngineModel, LoadOptions } from "../../spec/engine.ts";
import type { HostedModel } from "../host/load.ts";
import { loadHosted } from "../host/load.ts";
import { refuseSpeech } from "./refuse.ts";
import type { SpeechSetup } from "./setup.ts";

export interface SpeechOptions {
  /** Folder of the pack. May install it; throws `engine_missing`. */
  readonly pack: (call: EngineLoadOptions) => Promise<string>;
  /** The environment of the child processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface SpeechEngine extends Engine {
  load(model: EngineModel, options: LoadOptions, call?: EngineLoadOptions): Promise<HostedModel>;
}

/** sherpa-onnx, in a child process for each loaded model. Loads no native code into this one. */
export function createSpeechEngine({ pack, env, onNotice }: SpeechOptions): SpeechEngine {
  return {
    name: "speech",
    refuse: refuseSpeech,
    async load(model, options, call = {}) {
      const setup: SpeechSetup = { pack: await pack(call) };
      return await loadHosted({ entry: childEntry(), engine: "speech", env, onNotice, setup, model, options }, call);
    },
  };
}

/** From source the child is TypeScript too. */
function childEntry(): URL {
  return new URL(`./child.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}
