/** What `runtime` asks of the engines. Implemented by `registry.ts`; tests use a fake. */
import type { Device, Engine, EngineFootprint, EngineName, LoadOptions } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";

/** A model and what it would be loaded with, the settings among it. */
export interface EngineQuestion {
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly load: LoadOptions;
  /** The model of `load.draft`. */
  readonly draft?: { readonly model: InstalledModel; readonly info: ModelInfo } | undefined;
}

/** Which engine runs a model and why; `hearth plan` prints the reasons. */
export interface EngineChoice {
  readonly engine: EngineName;
  readonly device: Device;
  readonly reasons: readonly string[];
  /** Its own figures for the estimate of memory; absent: those of the file will do. */
  readonly footprint?: EngineFootprint;
  /** The same for the draft model. */
  readonly draftFootprint?: EngineFootprint;
}

export interface Engines {
  /**
   * May read the header of the weights. Throws `model_unsupported` where no engine, or not the one that was asked for,
   * runs the model, and `unsupported_option` where that one cannot honour a load option; both say why.
   */
  choose(question: EngineQuestion): Promise<EngineChoice>;
  /** Loads the engine's code; installs its pack when it is missing. Throws `engine_missing`. */
  get(name: EngineName): Promise<Engine>;
}
