import { HearthError } from "../../error.ts";
import type { Engine, EngineLoadOptions, EngineModel, LoadOptions } from "../../spec/engine.ts";
import { raceAbort } from "../../util/abort.ts";
import type { FakeModel } from "./model.ts";
import { createFakeModel } from "./model.ts";
import type { FakeOptions } from "./options.ts";

export interface FakeEngine extends Engine {
  readonly name: "fake";
  /** Every model that was ever loaded, in order. */
  readonly models: readonly FakeModel[];
  /** Loads that were begun, failed ones too. */
  readonly loads: number;
  load(model: EngineModel, options: LoadOptions, call?: EngineLoadOptions): Promise<FakeModel>;
}

/** A deterministic engine for tests: in process, no weights, every part of the contract. */
export function createFakeEngine(options: FakeOptions = {}): FakeEngine {
  const models: FakeModel[] = [];
  let loads = 0;
  return {
    name: "fake",
    models,
    get loads() {
      return loads;
    },
    refuse(info, device) {
      return options.refuse?.(info, device);
    },
    async load(model, loadOptions, { signal, onProgress } = {}) {
      loads++;
      signal?.throwIfAborted();
      const reason = options.refuse?.(model.info, loadOptions.device ?? "auto");
      if (reason !== undefined) throw new HearthError("model_unsupported", reason);
      const progress = { phase: "load", label: model.name, totalBytes: model.info.weightBytes } as const;
      onProgress?.({ ...progress, completedBytes: 0 });
      await raceAbort(Promise.resolve(options.beforeLoad?.(model, loadOptions)), signal);
      onProgress?.({ ...progress, completedBytes: model.info.weightBytes });
      const loaded = createFakeModel(model, loadOptions, options);
      models.push(loaded);
      return loaded;
    },
  };
}
