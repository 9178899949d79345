/** The models in memory: starts loads, unloads, and notices engines that die. Decides nothing. */
import type { Engines } from "../engines/contract.ts";
import { HearthError, toHearthError } from "../error.ts";
import type { LoadedModel } from "../spec/engine.ts";
import type { Progress } from "../spec/model.ts";
import type { Clock } from "./clock.ts";
import { createInstance, type Instance, type InstanceOptions } from "./instance.ts";
import { disarm } from "./keep-alive.ts";

export interface PoolEvents {
  loaded(instance: Instance): void;
  failed(instance: Instance, error: HearthError): void;
  died(instance: Instance): void;
  /** Memory that was being freed is free. */
  freed(): void;
  /** It holds nothing any more, for whatever reason; the other events follow. */
  removed(instance: Instance): void;
  progress(instance: Instance, progress: Progress): void;
}

export interface PoolOptions {
  readonly engines: Engines;
  readonly clock: Clock;
  readonly events: PoolEvents;
}

export class Pool {
  readonly #options: PoolOptions;
  readonly #instances = new Set<Instance>();

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Everything that holds memory or was promised some, oldest first. */
  all(): readonly Instance[] {
    return [...this.#instances];
  }

  /** What is not on its way out. */
  staying(): readonly Instance[] {
    return this.all().filter(({ state }) => state !== "unloading");
  }

  /** The instance that serves a model, or soon will. */
  current(key: string): Instance | undefined {
    return this.staying().find((instance) => instance.key === key);
  }

  /** Memory that is taken now, by estimate. */
  usedBytes(): number {
    return this.all().reduce((sum, { state, estimate }) => (state === "planned" ? sum : sum + estimate.totalBytes), 0);
  }

  add(options: InstanceOptions): Instance {
    const instance = createInstance(options, this.#options.clock.now());
    this.#instances.add(instance);
    return instance;
  }

  /** Starts the planned loads whose room is really free by now. */
  startPlanned(limitBytes: () => number): void {
    for (const instance of this.all()) {
      if (instance.state !== "planned") continue;
      const leaving = this.all().filter(({ state }) => state === "unloading");
      if (leaving.some(({ key }) => key === instance.key)) continue;
      if (leaving.length > 0 && this.usedBytes() + instance.estimate.totalBytes > limitBytes()) continue;
      void this.#load(instance);
    }
  }

  /** Unloads, or cancels the load. Requests that run on it get an error. Resolves when its memory is free. */
  async retire(instance: Instance): Promise<void> {
    disarm(instance, this.#options.clock);
    const { state } = instance;
    if (state === "planned") this.#remove(instance);
    if (state === "loading" || state === "ready") instance.state = "unloading";
    if (state === "loading") instance.cancel.abort(new HearthError("aborted", "Nobody waits for the model any more."));
    if (state === "ready" && instance.loaded) void this.#unload(instance, instance.loaded);
    await instance.gone;
  }

  async #load(instance: Instance): Promise<void> {
    const { clock, events } = this.#options;
    instance.state = "loading";
    instance.loadStartedAt = clock.now();
    let loaded: LoadedModel;
    try {
      loaded = await this.#start(instance);
    } catch (error) {
      const cancelled = instance.cancel.signal.aborted;
      this.#remove(instance);
      if (cancelled) events.freed();
      else events.failed(instance, loadError(instance, error));
      return;
    }
    instance.loadEndedAt = clock.now();
    instance.lastUsedAt = clock.now();
    if (instance.cancel.signal.aborted) {
      // The engine finished before it saw the signal.
      await this.#unload(instance, loaded);
      return;
    }
    instance.loaded = loaded;
    instance.state = "ready";
    void this.#watch(instance, loaded);
    events.loaded(instance);
  }

  async #start(instance: Instance): Promise<LoadedModel> {
    const { model, info, choice, load, cancel } = instance;
    const weights = model.files.find(({ role }) => role === "weights");
    if (!weights) throw new HearthError("model_malformed", `Model "${model.name}" has no file of weights.`);
    const engine = await this.#options.engines.get(choice.engine);
    cancel.signal.throwIfAborted();
    const refusal = engine.refuse(info, choice.device);
    if (refusal !== undefined) {
      throw new HearthError("model_unsupported", `Model "${model.name}" cannot run on ${engine.name}: ${refusal}`);
    }
    const onProgress = (progress: Progress): void => {
      if (instance.state === "loading") this.#options.events.progress(instance, progress);
    };
    return await engine.load({ name: model.name, path: weights.path, info }, load, {
      signal: cancel.signal,
      onProgress,
    });
  }

  async #unload(instance: Instance, loaded: LoadedModel): Promise<void> {
    await disposeQuietly(loaded);
    this.#remove(instance);
    this.#options.events.freed();
  }

  async #watch(instance: Instance, loaded: LoadedModel): Promise<void> {
    await loaded.died;
    if (instance.state !== "ready") return;
    disarm(instance, this.#options.clock);
    this.#remove(instance);
    void disposeQuietly(loaded);
    this.#options.events.died(instance);
  }

  #remove(instance: Instance): void {
    instance.state = "gone";
    this.#instances.delete(instance);
    this.#options.events.removed(instance);
    instance.resolveGone();
  }
}

/** A model that fails to say goodbye is gone all the same, and nobody is left to tell. */
async function disposeQuietly(loaded: LoadedModel): Promise<void> {
  try {
    await loaded.dispose();
  } catch {
    // Its engine's process has ended or is being ended by its host; there is nothing more to free.
  }
}

function loadError(instance: Instance, error: unknown): HearthError {
  if (error instanceof HearthError) return error;
  const known = toHearthError(error);
  if (known.code !== "internal") return known;
  return new HearthError("engine_load_failed", `Model "${instance.key}" could not be loaded: ${known.message}`, {
    cause: error,
  });
}
