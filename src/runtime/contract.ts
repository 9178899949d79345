/** What `tasks` and the server ask of the runtime: which models are loaded and who runs next. */
import type { EngineChoice } from "../engines/contract.ts";
import type { EngineMemory, EngineStats, LoadedModel, LoadOptions, Priority } from "../spec/engine.ts";
import type { GenerateEvent } from "../spec/event.ts";
import type { InstalledModel, ModelInfo, Progress } from "../spec/model.ts";
import type { EngineCounters, Latency } from "../spec/stats.ts";

export interface AcquireRequest {
  readonly model: string;
  readonly load?: LoadOptions;
  /** ms; Infinity: for ever, 0: unload when this lease ends. Default from the settings. */
  readonly keepAliveMs?: number;
  /** Tenants get equal shares of the time of a model. Absent: a tenant of its own, all who leave it out together. */
  readonly tenant?: string;
  /** Default `interactive`. */
  readonly priority?: Priority;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** A turn on a loaded model. The model cannot be evicted until `release`. */
export interface Lease {
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly loaded: LoadedModel;
  readonly queueMs: number;
  readonly loadMs: number;
  /** The events of a generation of `loaded`, measured as they pass. */
  watch(events: AsyncIterable<GenerateEvent>): AsyncIterable<GenerateEvent>;
  /** Idempotent. */
  release(): void;
}

export interface MemoryEstimate {
  readonly weightBytes: number;
  readonly kvBytes: number;
  readonly computeBytes: number;
  readonly totalBytes: number;
}

/** What loading a model would do. */
export interface Plan {
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly choice: EngineChoice;
  readonly load: Required<Pick<LoadOptions, "contextTokens" | "parallel">> & LoadOptions;
  readonly estimate: MemoryEstimate;
  readonly availableBytes: number;
  readonly budgetBytes: number;
  readonly fits: boolean;
  /** Names of idle models that would be unloaded to make room, and of those that would be put to sleep. */
  readonly evicts: readonly string[];
  readonly putsToSleep: readonly string[];
}

export interface LoadedStatus {
  readonly name: string;
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly engine: string;
  readonly device: string;
  /** `asleep`: it has given its memory back and takes it again for the next request. */
  readonly state: "loading" | "ready" | "asleep" | "unloading";
  readonly contextTokens: number;
  readonly parallel: number;
  readonly running: number;
  readonly waiting: number;
  readonly memory: EngineMemory;
  /** Undefined: not loaded yet, or its engine keeps none. */
  readonly stats: EngineStats | undefined;
  /** When it is unloaded if nobody asks; undefined: never. */
  readonly expiresAt: Date | undefined;
}

export interface RuntimeStats {
  readonly loads: number;
  readonly loadFailures: number;
  readonly evictions: number;
  readonly sleeps: number;
  readonly wakes: number;
  readonly engineDeaths: number;
  readonly refused: number;
  readonly running: number;
  readonly waiting: number;
  readonly budgetBytes: number;
  readonly usedBytes: number;
}

/** What was done for a model since the start, over all its loads. */
export interface ModelTotals {
  readonly name: string;
  /** Undefined: its engine keeps no statistics. */
  readonly counters: EngineCounters | undefined;
  readonly latency: Latency;
}

export interface Runtime {
  /** Finds or loads the model and waits for a turn. Throws `queue_full`, `out_of_memory`, `model_not_found` … */
  acquire(request: AcquireRequest): Promise<Lease>;
  plan(model: string, load?: LoadOptions): Promise<Plan>;
  loaded(): readonly LoadedStatus[];
  /** Unloads now: running requests of that model get an error. Returns whether it was loaded. */
  stop(model: string): Promise<boolean>;
  /**
   * Puts an idle model to sleep now. Throws `model_not_found` where it is not loaded, `conflict` while requests use it
   * or wait for it, `unsupported_capability` where its engine cannot.
   */
  sleep(model: string): Promise<void>;
  stats(): RuntimeStats;
  /** Of every model that was ever loaded. */
  totals(): readonly ModelTotals[];
  /** Refuses new requests and waits for the running ones. */
  drain(signal?: AbortSignal): Promise<void>;
  dispose(): Promise<void>;
}
