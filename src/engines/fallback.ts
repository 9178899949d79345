import { HearthError } from "../error.ts";
import type { Engine, EngineLoadOptions, EngineModel, LoadedModel, LoadOptions } from "../spec/engine.ts";

export interface FallbackOptions {
  readonly first: Engine;
  readonly next: () => Promise<Engine>;
  /** The first engine could not load this model; the next one is about to try. */
  readonly onRefused: (model: EngineModel, error: HearthError) => void;
}

/**
 * An engine that hands a model on where the first engine says, while it loads, that it cannot run it. Who has asked for
 * the first engine by name gets its error instead. `LoadedModel.engine` tells which one it was.
 */
export function withFallback({ first, next, onRefused }: FallbackOptions): Engine {
  const handOn = async (job: LoadJob, error: HearthError): Promise<LoadedModel> => {
    const { model, options, call } = job;
    onRefused(model, error);
    const other = await next();
    if (other.refuse(model.info, options.device ?? "auto") !== undefined) throw error;
    try {
      return await other.load(model, options, call);
    } catch (second) {
      if (!(second instanceof HearthError) || second.code !== "engine_missing") throw second;
      throw new HearthError(error.code, `${error.message} ${second.message}`, { hint: second.hint, cause: error });
    }
  };
  return {
    name: first.name,
    refuse: (info, device) => first.refuse(info, device),
    async load(model, options, call = {}) {
      try {
        return await first.load(model, options, call);
      } catch (error) {
        if (options.engine === first.name || !isRefusal(error)) throw error;
        return await handOn({ model, options, call }, error);
      }
    },
  };
}

interface LoadJob {
  readonly model: EngineModel;
  readonly options: LoadOptions;
  readonly call: EngineLoadOptions;
}

/** Whether the engine says that this model is not for it; not that something broke, or that memory is short just now. */
export function isRefusal(error: unknown): error is HearthError {
  if (!(error instanceof HearthError)) return false;
  if (error.code === "out_of_memory") return typeof error.details["limitBytes"] === "number";
  return error.code === "model_unsupported" || error.code === "model_malformed";
}
