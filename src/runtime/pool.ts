/** The models in memory: starts loads, unloads, sends them to sleep, and notices engines that die. Decides nothing. */
import type { Engines } from "../engines/contract.ts";
import { HearthError, toHearthError } from "../error.ts";
import { projectorPath } from "../formats/projector.ts";
import type { LoadedModel } from "../spec/engine.ts";
import type { Progress } from "../spec/model.ts";
import type { Clock } from "./clock.ts";
import {
  asleepBytes,
  canSleep,
  claimedBytes,
  createInstance,
  type Instance,
  type InstanceOptions,
  type InstanceState,
} from "./instance.ts";
import { disarm } from "./keep-alive.ts";

export interface PoolEvents {
  loaded(instance: Instance): void;
  failed(instance: Instance, error: HearthError): void;
  died(instance: Instance): void;
  /** Memory that was being freed is free. */
  freed(): void;
  /** It sleeps, and has given most of its memory back. */
  slept(instance: Instance): void;
  /** It would not sleep, and keeps its memory. */
  stayedAwake(instance: Instance): void;
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
    return this.all().reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  }

  /** Memory that will be taken when all is done that is under way. */
  claimedBytes(): number {
    return this.all().reduce((sum, instance) => sum + claimedBytes(instance), 0);
  }

  add(options: InstanceOptions): Instance {
    const instance = createInstance(options, this.#options.clock.now());
    this.#instances.add(instance);
    return instance;
  }

  /** Starts the planned loads, and wakes the models, whose room is really free by now. Returns those that woke. */
  startPromised(limitBytes: () => number): readonly Instance[] {
    const woken: Instance[] = [];
    for (const instance of this.all()) {
      if (instance.state !== "planned" && instance.state !== "waking") continue;
      const leaving = this.all().filter(({ state }) => state === "unloading" || state === "dozing");
      if (leaving.some(({ key }) => key === instance.key)) continue;
      const moreBytes = claimedBytes(instance) - instance.heldBytes;
      if (leaving.length > 0 && this.usedBytes() + moreBytes > limitBytes()) continue;
      instance.heldBytes = claimedBytes(instance);
      if (instance.state === "planned") void this.#load(instance);
      else {
        // The engine takes its memory again with the first call.
        instance.state = "ready";
        woken.push(instance);
      }
    }
    return woken;
  }

  /** Promises a sleeping model its memory; `startPromised` wakes it. */
  wake(instance: Instance): void {
    disarm(instance, this.#options.clock);
    instance.state = "waking";
  }

  /** Takes the promise back. */
  sleepOn(instance: Instance): void {
    instance.state = "asleep";
  }

  /** Puts an idle model to sleep, as far as its engine can. Resolves to whether it sleeps. */
  async sleep(instance: Instance): Promise<boolean> {
    if (!canSleep(instance)) return false;
    const { clock, events } = this.#options;
    instance.state = "dozing";
    const asleep = await sleepQuietly(instance.loaded);
    if (!isIn(instance, ["dozing"])) return false;
    instance.state = asleep ? "asleep" : "ready";
    if (asleep) {
      instance.heldBytes = asleepBytes(instance);
      events.slept(instance);
    } else {
      instance.restlessAt = clock.now();
      events.stayedAwake(instance);
    }
    return asleep;
  }

  /** Unloads, or cancels the load. Requests that run on it get an error. Resolves when its memory is free. */
  async retire(instance: Instance): Promise<void> {
    disarm(instance, this.#options.clock);
    const { state, loaded } = instance;
    if (state === "planned") this.#remove(instance);
    if (state === "loading") {
      instance.state = "unloading";
      instance.cancel.abort(new HearthError("aborted", "Nobody waits for the model any more."));
    }
    if (loaded && isIn(instance, inMemory)) {
      instance.state = "unloading";
      void this.#unload(instance, loaded);
    }
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
    const projector = projectorPath(model, info, load);
    const files = { path: weights.path, ...(projector !== undefined && { projector }) };
    return await engine.load({ name: model.name, ...files, info }, load, {
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
    if (!isIn(instance, inMemory)) return;
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

/** The states of an instance with a loaded model that stays. */
const inMemory: readonly InstanceState[] = ["ready", "dozing", "asleep", "waking"];

function isIn({ state }: Instance, states: readonly InstanceState[]): boolean {
  return states.includes(state);
}

/** One that fails to fall asleep has not: if its engine has died, `died` tells. */
async function sleepQuietly(loaded: LoadedModel | undefined): Promise<boolean> {
  try {
    return (await loaded?.sleep?.()) ?? false;
  } catch {
    return false;
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
