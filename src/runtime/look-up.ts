/** From the name in a request to what is wanted: the model, what it can do, and the engine for it. */
import type { Engines } from "../engines/contract.ts";
import type { ModelLibrary } from "../models/contract.ts";
import type { LoadOptions } from "../spec/engine.ts";
import { findDraft } from "./draft.ts";
import { serves, wantedLoad } from "./load-options.ts";
import type { Wanted } from "./room.ts";
import type { RuntimeSettings, Scheduler } from "./scheduler.ts";

export interface LookUpOptions {
  readonly library: ModelLibrary;
  readonly engines: Engines;
  readonly settings: RuntimeSettings;
  readonly scheduler: Pick<Scheduler, "current">;
}

export interface LookUp {
  /** Throws what the library and the choice of an engine throw. */
  readonly lookUp: (text: string, request: LoadOptions) => Promise<Wanted>;
  /** What is loaded and serves the request was chosen before: a request to it waits for no choice. */
  readonly lookUpLoaded: (text: string, request: LoadOptions) => Promise<Wanted>;
}

export function createLookUp({ library, engines, settings, scheduler }: LookUpOptions): LookUp {
  const lookUp = async (text: string, request: LoadOptions): Promise<Wanted> => {
    const model = await library.resolve(text);
    const info = await library.inspect(model);
    const { draft, reason } = await findDraft({ library, model, info, requested: request, settings });
    const requested = request.draft && draft ? { ...request, draft: { path: draft.path } } : request;
    const load = wantedLoad({ model, info, requested, settings, draft });
    const choice = await engines.choose({ model, info, load, draft });
    const reasons = [...choice.reasons, ...(reason === undefined ? [] : [reason])];
    return { model, info, requested, draft, choice: { ...choice, reasons } };
  };
  const lookUpLoaded = async (text: string, request: LoadOptions): Promise<Wanted> => {
    const model = await library.resolve(text);
    const loaded = scheduler.current(model.name);
    if (!loaded || request.draft || settings.draft !== undefined) return await lookUp(text, request);
    const info = await library.inspect(model);
    if (!serves(loaded, model, info, request)) return await lookUp(text, request);
    wantedLoad({ model, info, requested: request, settings, draft: undefined });
    return { model, info, requested: request, choice: loaded.choice };
  };
  return { lookUp, lookUpLoaded };
}
