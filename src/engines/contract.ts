/** What `runtime` asks of the engines. Implemented by `registry.ts`; tests use a fake. */
import type { Device, Engine, EngineName } from "../spec/engine.ts";
import type { ModelInfo } from "../spec/model.ts";

/** Which engine runs a model and why; `hearth plan` prints the reasons. */
export interface EngineChoice {
  readonly engine: EngineName;
  readonly device: Device;
  readonly reasons: readonly string[];
}

export interface Engines {
  /** Throws `model_unsupported`, naming the architecture and what would run it. */
  choose(info: ModelInfo, device: Device): EngineChoice;
  /** Loads the engine's code; installs its pack when it is missing. Throws `engine_missing`. */
  get(name: EngineName): Promise<Engine>;
}
