/** One model in memory, or on its way in or out. */
import type { EngineChoice } from "../engines/contract.ts";
import type { LoadedModel, Priority } from "../spec/engine.ts";
import type { InstalledModel, ModelInfo } from "../spec/model.ts";
import type { LoadedStatus, MemoryEstimate } from "./contract.ts";
import type { ResolvedLoad } from "./fit.ts";

/** `planned`: its memory is promised, but what makes room for it has not gone yet. */
export type InstanceState = "planned" | "loading" | "ready" | "unloading" | "gone";

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
  /** Turns, and those of them that are batch work. */
  running: number;
  runningBatch: number;
  lastUsedAt: number;
  loadStartedAt: number;
  loadEndedAt: number;
  keepAliveMs: number;
  expiry: { readonly expiresAt: number; readonly timer: unknown } | undefined;
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
    running: 0,
    runningBatch: 0,
    lastUsedAt: now,
    loadStartedAt: now,
    loadEndedAt: now,
    expiry: undefined,
  };
}

export function isIdle(instance: Instance): boolean {
  return instance.state === "ready" && instance.running === 0;
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

export function toStatus(instance: Instance, waiting: number, expiresAt: Date | undefined): LoadedStatus {
  const { loaded, load, estimate, state } = instance;
  return {
    name: instance.key,
    model: instance.model,
    info: instance.info,
    engine: loaded?.engine ?? instance.choice.engine,
    device: loaded?.device ?? load.device ?? instance.choice.device,
    state: state === "ready" ? "ready" : state === "planned" || state === "loading" ? "loading" : "unloading",
    contextTokens: loaded?.contextTokens ?? load.contextTokens,
    parallel: loaded?.parallel ?? load.parallel,
    running: instance.running,
    waiting,
    memory: loaded?.memory() ?? { ramBytes: estimate.totalBytes, vramBytes: 0 },
    stats: loaded?.stats?.(),
    expiresAt,
  };
}
