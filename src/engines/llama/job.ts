/** What the parts of a load hand to each other. */
import type { LlamaModel } from "node-llama-cpp";
import type { EngineLoadOptions, EngineModel, LoadedModel, LoadOptions } from "../../spec/engine.ts";
import type { Backend } from "./backend.ts";
import type { ModelText } from "./text.ts";

export const defaultBatchTokens = 512;

export interface LoadJob {
  readonly backend: Backend;
  readonly model: EngineModel;
  readonly options: LoadOptions;
  readonly call: EngineLoadOptions;
  readonly notice: (text: string) => void;
}

/** What is loaded, before it can do anything. */
export interface Opened {
  readonly native: LlamaModel;
  readonly text: ModelText;
  readonly contextTokens: number;
}

export interface Methods extends Pick<LoadedModel, "parallel" | "generate" | "score" | "embed" | "rerank" | "stats"> {
  /** Puts what it has computed where it can be found after the model was unloaded. */
  readonly keep?: () => Promise<void>;
}
