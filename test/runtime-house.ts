/** A runtime with a clock, an engine and a memory that a test holds in its hands. For tests only. */
import { createFakeLibrary, type FakeModel } from "./fake-library.ts";
import { settingsTable } from "../src/config/settings.ts";
import type { Engines } from "../src/engines/contract.ts";
import type { ModelLibrary } from "../src/models/contract.ts";
import type { Engine, EngineName, LoadedModel, LoadOptions } from "../src/spec/engine.ts";
import type { ModelInfo, Progress } from "../src/spec/model.ts";
import type { Clock } from "../src/runtime/clock.ts";
import type { Runtime } from "../src/runtime/contract.ts";
import { createRuntime } from "../src/runtime/runtime.ts";
import type { RuntimeSettings } from "../src/runtime/scheduler.ts";

export const mebibyte: number = 1024 ** 2;
export const gibibyte: number = 1024 ** 3;

export interface TestClock extends Clock {
  /** Timers that have not fired or been cleared. */
  readonly timers: number;
  /** Moves the time on, fires what is due in order, and lets everything that follows happen. */
  advance(ms: number): Promise<void>;
}

export function createTestClock(): TestClock {
  let now = Date.UTC(2026, 0, 1);
  let next = 1;
  const timers = new Map<number, { readonly at: number; readonly callback: () => void }>();
  const due = (until: number): number | undefined => {
    const ready = [...timers].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at);
    return ready[0]?.[0];
  };
  return {
    now: () => now,
    setTimeout(callback, ms) {
      timers.set(next, { at: now + ms, callback });
      return next++;
    },
    clearTimeout(handle) {
      timers.delete(handle as number);
    },
    get timers() {
      return timers.size;
    },
    async advance(ms) {
      const until = now + ms;
      for (let id = due(until); id !== undefined; id = due(until)) {
        const timer = timers.get(id);
        timers.delete(id);
        now = Math.max(now, timer?.at ?? now);
        timer?.callback();
        await settle();
      }
      now = until;
      await settle();
    },
  };
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
}

/** One call of the engine's `load`. */
export interface TestLoad {
  readonly name: string;
  readonly info: ModelInfo;
  readonly options: LoadOptions;
  readonly signal: AbortSignal | undefined;
  readonly report: (progress: Progress) => void;
  state: "loading" | "loaded" | "failed" | "disposing" | "gone";
  finish(given?: { readonly parallel?: number; readonly contextTokens?: number }): void;
  fail(error: unknown): void;
  die(): void;
  /** Ends a dispose in progress; only with `holdDispose`. */
  letGo(): void;
  rest: "awake" | "dozing" | "asleep";
  /** Ends a sleep in progress, well or not; only with `holdSleep`. */
  doze(asleep?: boolean): void;
}

export interface TestEngine extends Engine {
  readonly loads: readonly TestLoad[];
  /** Loads of a model that hold memory: from the call to the end of their dispose. */
  present(name?: string): readonly TestLoad[];
  /** The latest load of a model. */
  last(name: string): TestLoad;
  /** Loads wait for `finish`; otherwise they finish at once. */
  holdLoads: boolean;
  holdDispose: boolean;
  /** Models that are loaded from now on can sleep; any call wakes them. */
  sleeps: boolean;
  holdSleep: boolean;
  refusal: string | undefined;
}

export function createTestEngine(): TestEngine {
  const loads: TestLoad[] = [];
  const engine: TestEngine = {
    name: "fake",
    loads,
    holdLoads: false,
    holdDispose: false,
    sleeps: false,
    holdSleep: false,
    refusal: undefined,
    present: (name) =>
      loads.filter(
        (load) => !["failed", "gone"].includes(load.state) && (name === undefined || load.name === `${name}:latest`),
      ),
    last(name) {
      const load = loads.findLast((each) => each.name === `${name}:latest`);
      if (!load) throw new Error(`"${name}" was never loaded.`);
      return load;
    },
    refuse: () => engine.refusal,
    load: async ({ name, info }, options, { signal, onProgress } = {}) => {
      const { promise, resolve, reject } = Promise.withResolvers<LoadedModel>();
      const died = Promise.withResolvers<void>();
      const gone = Promise.withResolvers<void>();
      let sleep = Promise.withResolvers<boolean>();
      const load: TestLoad = {
        name,
        info,
        options,
        signal,
        report: (progress) => onProgress?.(progress),
        state: "loading",
        finish(given = {}) {
          if (load.state !== "loading") return;
          load.state = "loaded";
          resolve(toLoaded({ ...options, ...given }));
        },
        fail(error) {
          if (load.state !== "loading") return;
          load.state = "failed";
          reject(error);
        },
        die() {
          if (load.state !== "loaded") return;
          load.state = "gone";
          died.resolve();
        },
        letGo() {
          if (load.state !== "disposing") return;
          load.state = "gone";
          gone.resolve();
        },
        rest: "awake",
        doze(asleep = true) {
          if (load.rest !== "dozing") return;
          load.rest = asleep ? "asleep" : "awake";
          sleep.resolve(asleep);
        },
      };
      const toLoaded = ({ contextTokens = 0, parallel = 0 }: LoadOptions): LoadedModel => ({
        engine: "fake",
        capabilities: info.capabilities,
        device: "cpu",
        contextTokens,
        parallel,
        samplingOptions: new Set(),
        died: died.promise,
        async tokenize() {
          load.rest = "awake";
          return [];
        },
        detokenize: async () => "",
        memory: () => ({ ramBytes: load.rest === "asleep" ? 0 : info.weightBytes, vramBytes: 0 }),
        ...(engine.sleeps && {
          async sleep() {
            sleep = Promise.withResolvers();
            load.rest = "dozing";
            if (!engine.holdSleep) load.doze();
            return await sleep.promise;
          },
        }),
        async dispose() {
          if (load.state !== "loaded") return;
          load.state = "disposing";
          if (!engine.holdDispose) load.letGo();
          await gone.promise;
        },
      });
      loads.push(load);
      signal?.addEventListener("abort", () => {
        load.fail(signal.reason);
      });
      if (!engine.holdLoads) queueMicrotask(() => load.finish());
      return await promise;
    },
  };
  return engine;
}

/** A model whose estimate is exactly `bytes`, whatever its context: no KV cache and no buffers. */
export function modelOf(name: string, bytes: number, info: Partial<ModelInfo> = {}): FakeModel {
  const plain = { kvBytesPerToken: 0, embeddingLength: 0, vocabularySize: 0, trainContextTokens: 8192 };
  return { name, info: { ...plain, weightBytes: bytes - 150 * mebibyte, ...info } };
}

export interface TestHouse {
  readonly library: ModelLibrary;
  readonly runtime: Runtime;
  readonly engine: TestEngine;
  readonly clock: TestClock;
  readonly memory: { totalBytes: number; availableBytes: number };
}

export interface TestHouseOptions {
  readonly models?: readonly FakeModel[];
  readonly settings?: Partial<RuntimeSettings>;
  /** The engine that is chosen, whoever loads the model then. Default: the one that does. */
  readonly chosen?: EngineName;
}

/** Three models of 1 GiB and a budget of 2 GiB, where nothing else is said. */
export function createTestHouse({ models, settings, chosen = "fake" }: TestHouseOptions = {}): TestHouse {
  const engine = createTestEngine();
  const clock = createTestClock();
  const memory = { totalBytes: 16 * gibibyte, availableBytes: 12 * gibibyte };
  const engines: Engines = {
    choose: async ({ load }) => ({ engine: chosen, device: load.device ?? "auto", reasons: ["it is the only one"] }),
    get: async () => engine,
  };
  const library = createFakeLibrary(models ?? ["a", "b", "c"].map((name) => modelOf(name, gibibyte)));
  const runtime = createRuntime({
    library,
    engines,
    settings: { ...defaultSettings(), memory: 2 * gibibyte, ...settings },
    memory: () => ({ ...memory }),
    clock,
  });
  return { runtime, library, engine, clock, memory };
}

function defaultSettings(): RuntimeSettings {
  const { engine, device, context, parallel, threads, kvTypeK, kvTypeV } = settingsTable;
  const { flashAttention, gpuLayers, cacheTokens, speculation, draft, quantize, memory } = settingsTable;
  const { maxLoaded, queue, keepAlive, sleepAfter } = settingsTable;
  return {
    engine: engine.default,
    device: device.default,
    context: context.default,
    parallel: parallel.default,
    threads: threads.default,
    kvTypeK: kvTypeK.default,
    kvTypeV: kvTypeV.default,
    quantize: quantize.default,
    flashAttention: flashAttention.default,
    gpuLayers: gpuLayers.default,
    cacheTokens: cacheTokens.default,
    speculation: speculation.default,
    draft: draft.default,
    memory: memory.default,
    maxLoaded: maxLoaded.default,
    queue: queue.default,
    keepAlive: keepAlive.default,
    sleepAfter: sleepAfter.default,
  };
}

/** Whether a promise has settled by now, and how. */
export async function outcome(promise: Promise<unknown>): Promise<"pending" | "fulfilled" | "rejected"> {
  await settle();
  let state: "pending" | "fulfilled" | "rejected" = "pending";
  promise.then(
    () => (state = "fulfilled"),
    () => (state = "rejected"),
  );
  await settle();
  return state;
}
