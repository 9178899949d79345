/** One model in memory, or on its way in or out. */
import type { EngineChoice } from "../engines/contract.ts";
import type { LoadedModel, Priority } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import type { LoadedStatus, MemoryEstimate } from "./contract.ts";
import { processBytesOf, type ResolvedLoad } from "./fit.ts";
import type { Deadline } from "./keep-alive.ts";

/**
 * `planned` and `waking`: its memory is promised, but what makes room for it has not gone yet. `dozing`: on its way to
 * sleep, and holds all of its memory until then. Only one that is `ready` gives turns.
 */
export type InstanceState = "planned" | "loading" | "ready" | "dozing" | "asleep" | "waking" | "unloading" | "gone";

export interface Instance {
  readonly key: string;
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly choice: EngineChoice;
  readonly load: ResolvedLoad;
  readonly estimate: MemoryEstimate;
  /** Cancels the load. */
  readonly cancel: AbortController;
  /** Resolves when its memory is free again; never rejects. */
  readonly gone: Promise<void>;
  readonly resolveGone: () => void;
  /** Loaded again after a first attempt had run out of memory. */
  readonly retry: boolean;
  state: InstanceState;
  loaded: LoadedModel | undefined;
  /** Bytes that it takes now, by estimate. */
  heldBytes: number;
  /** Turns, and those of them that are batch work. */
  running: number;
  runningBatch: number;
  lastUsedAt: number;
  loadStartedAt: number;
  loadEndedAt: number;
  keepAliveMs: number;
  /** When it is unloaded, and when it is put to sleep. */
  expiry: Deadline | undefined;
  nap: Deadline | undefined;
  /** When it would not go to sleep, if that was after its last request. */
  restlessAt: number | undefined;
}

export interface InstanceOptions {
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly choice: EngineChoice;
  readonly load: ResolvedLoad;
  readonly estimate: MemoryEstimate;
  readonly keepAliveMs: number;
  readonly retry?: boolean;
}

export function createInstance(options: InstanceOptions, now: number): Instance {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { model, info, choice, load, estimate, keepAliveMs, retry = false } = options;
  return {
    key: model.name,
    model,
    info,
    choice,
    load,
    estimate,
    keepAliveMs,
    retry,
    cancel: new AbortController(),
    gone: promise,
    resolveGone: resolve,
    state: "planned",
    loaded: undefined,
    heldBytes: 0,
    running: 0,
    runningBatch: 0,
    lastUsedAt: now,
    loadStartedAt: now,
    loadEndedAt: now,
    expiry: undefined,
    nap: undefined,
    restlessAt: undefined,
  };
}

/** Nobody uses it, or is about to: it can be unloaded. */
export function isIdle({ state, running }: Instance): boolean {
  return running === 0 && (state === "ready" || state === "dozing" || state === "asleep");
}

/** It is idle and its engine can give the memory back while the model stays. */
export function canSleep({ state, running, loaded }: Instance): boolean {
  return state === "ready" && running === 0 && loaded?.sleep !== undefined;
}

/** Bytes while it sleeps: those of its process. */
export function asleepBytes({ estimate, choice }: Instance): number {
  return Math.min(estimate.totalBytes, processBytesOf(choice.footprint));
}

/** Bytes that it will take when all is done that is under way. */
export function claimedBytes(instance: Instance): number {
  switch (instance.state) {
    case "dozing":
    case "asleep":
      return asleepBytes(instance);
    case "unloading":
    case "gone":
      return 0;
    default:
      return instance.estimate.totalBytes;
  }
}

/** Turns that can be given at once. */
export function seats(instance: Instance): number {
  return Math.max(1, instance.loaded?.parallel ?? instance.load.parallel);
}

/** Batch work takes only what is free; interactive work comes on top of it, and the engine then pauses batch work. */
export function hasSeat(instance: Instance, priority: Priority): boolean {
  const { running, runningBatch } = instance;
  return (priority === "batch" ? running : running - runningBatch) < seats(instance);
}

const shownStates: Readonly<Record<InstanceState, LoadedStatus["state"]>> = {
  planned: "loading",
  loading: "loading",
  ready: "ready",
  dozing: "asleep",
  asleep: "asleep",
  waking: "loading",
  unloading: "unloading",
  gone: "unloading",
};

export function toStatus(instance: Instance, waiting: number, expiresAt: Date | undefined): LoadedStatus {
  const { loaded, load, estimate } = instance;
  return {
    name: instance.key,
    model: instance.model,
    info: instance.info,
    engine: loaded?.engine ?? instance.choice.engine,
    device: loaded?.device ?? load.device ?? instance.choice.device,
    state: shownStates[instance.state],
    contextTokens: loaded?.contextTokens ?? load.contextTokens,
    parallel: loaded?.parallel ?? load.parallel,
    running: instance.running,
    waiting,
    memory: loaded?.memory() ?? { ramBytes: estimate.totalBytes, vramBytes: 0 },
    stats: loaded?.stats?.(),
    expiresAt,
  };
}
