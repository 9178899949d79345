import type { Engine, EngineLoadOptions, EngineModel, LoadOptions } from "../../spec/engine.ts";
import type { HostedModel } from "../host/load.ts";
import { loadHosted } from "../host/load.ts";
import { flintFlags } from "./flags.ts";
import { refuseFlint } from "./refuse.ts";

export interface FlintOptions {
  /** The environment of the child processes. */
  readonly env: Readonly<Record<string, string>>;
  readonly onNotice?: ((text: string) => void) | undefined;
  /** URL of what decodes pictures, for models with a projector. Absent: they take text alone. */
  readonly pictures?: (call: EngineLoadOptions) => Promise<string>;
}

/** What the child process is told besides the model. */
export interface FlintSetup {
  /** URL of the module that decodes pictures. */
  readonly pictures?: string;
}

export interface FlintEngine extends Engine {
  load(model: EngineModel, options: LoadOptions, call?: EngineLoadOptions): Promise<HostedModel>;
}

/** hearth's own engine, in a child process for each loaded model. */
export function createFlintEngine({ env, onNotice, pictures }: FlintOptions): FlintEngine {
  return {
    name: "flint",
    refuse: refuseFlint,
    async load(model, options, call = {}) {
      const setup: FlintSetup = model.projector === undefined || !pictures ? {} : { pictures: await pictures(call) };
      const entry = childEntry();
      return await loadHosted(
        { entry, engine: "flint", flags: flintFlags, env, onNotice, setup, model, options },
        call,
      );
    },
  };
}

/** From source the child is TypeScript too. */
function childEntry(): URL {
  return new URL(`./child.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}
