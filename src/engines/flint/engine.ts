import type { Engine, EngineLoadOptions, EngineModel, LoadOptions } from "../../spec/engine.ts";
import type { HostedModel } from "../host/load.ts";
import { loadHosted } from "../host/load.ts";
import { flintFlags } from "./flags.ts";
import { refuseFlint } from "./refuse.ts";

export interface FlintOptions {
  /** The environment of the child processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface FlintEngine extends Engine {
  load(model: EngineModel, options: LoadOptions, call?: EngineLoadOptions): Promise<HostedModel>;
}

/** hearth's own engine, in a child process for each loaded model. */
export function createFlintEngine({ env, onNotice }: FlintOptions): FlintEngine {
  return {
    name: "flint",
    refuse: refuseFlint,
    load: (model, options, call = {}) =>
      loadHosted(
        { entry: childEntry(), engine: "flint", flags: flintFlags, env, onNotice, setup: undefined, model, options },
        call,
      ),
  };
}

/** From source the child is TypeScript too. */
function childEntry(): URL {
  return new URL(`./child.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}
