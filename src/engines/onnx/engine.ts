import { HearthError } from "../../error.ts";
import type { Engine, EngineLoadOptions, EngineModel, LoadOptions } from "../../spec/engine.ts";
import type { HostedModel } from "../host/load.ts";
import { loadHosted } from "../host/load.ts";
import { refuseOnnx } from "./refuse.ts";
import type { OnnxLibrary, OnnxSetup } from "./setup.ts";

export interface OnnxOptions {
  /** Where the pack is. May install it; throws `engine_missing`. */
  readonly library: (call: EngineLoadOptions) => Promise<OnnxLibrary>;
  /** The same with the runtime as WebAssembly, for machines where the native one does not load. */
  readonly wasmLibrary?: (call: EngineLoadOptions) => Promise<OnnxLibrary>;
  /** The environment of the child processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface OnnxEngine extends Engine {
  load(model: EngineModel, options: LoadOptions, call?: EngineLoadOptions): Promise<HostedModel>;
}

/** ONNX Runtime, in a child process for each loaded model. Loads no native code into this one. */
export function createOnnxEngine({ library, wasmLibrary, env, onNotice }: OnnxOptions): OnnxEngine {
  let wasm = false;
  const load: OnnxEngine["load"] = async (model, options, call = {}) => {
    const setup: OnnxSetup = { library: await (wasm && wasmLibrary ? wasmLibrary(call) : library(call)) };
    return await loadHosted({ entry: childEntry(), engine: "onnx", env, onNotice, setup, model, options }, call);
  };
  return {
    name: "onnx",
    refuse: refuseOnnx,
    async load(model, options, call) {
      try {
        return await load(model, options, call);
      } catch (error) {
        if (wasm || !wasmLibrary || !lacksNative(error)) throw error;
        wasm = true;
        onNotice?.(`${error.message} Its WebAssembly build runs the models, slower.`);
        return await load(model, options, call);
      }
    },
  };
}

function lacksNative(error: unknown): error is HearthError {
  return error instanceof HearthError && error.code === "engine_missing" && error.details["native"] !== undefined;
}

/** From source the child is TypeScript too. */
function childEntry(): URL {
  return new URL(`./child.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}
