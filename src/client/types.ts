import type { EngineStats } from "../spec/engine.ts";
import type { FinishReason } from "../spec/event.ts";
import type { ToolCall } from "../spec/message.ts";
import type { EngineCounters, Latency } from "../spec/stats.ts";
import type { Timings, Usage } from "../spec/usage.ts";
import type { CallOptions } from "./http.ts";

export interface Health {
  readonly status: string;
  readonly version?: string;
}

export interface ModelSummary {
  readonly name: string;
  readonly id: string;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly format: string;
  /** Empty, like the two after it, for a file that cannot be read. */
  readonly architecture: string;
  readonly parameters: string;
  readonly quantization: string;
  readonly capabilities: readonly string[];
}

export interface LoadedSummary {
  readonly name: string;
  readonly id: string;
  readonly state: string;
  readonly engine: string;
  readonly device: string;
  readonly contextTokens: number;
  readonly parallel: number;
  readonly running: number;
  readonly waiting: number;
  readonly ramBytes: number;
  readonly vramBytes: number;
  /** Undefined: never. */
  readonly expiresAt: Date | undefined;
}

/** A loaded model in figures. */
export interface ModelStats extends Pick<
  LoadedSummary,
  "name" | "state" | "engine" | "device" | "running" | "waiting" | "ramBytes" | "vramBytes"
> {
  /**
   * Sums over all loads of the model since the server started, as they were at `atMs`. Absent, like all that follows,
   * where the model is not ready or its engine does not say.
   */
  readonly counters?: EngineCounters & { readonly atMs: number };
  readonly blocks?: EngineStats["blocks"];
  readonly diskBytes?: number;
  /** Of all requests since the server started. */
  readonly latency?: Latency;
}

export interface ServerStats {
  /** Milliseconds on the server's clock. Only differences mean something. */
  readonly atMs: number;
  readonly models: readonly ModelStats[];
}

export interface PullProgress {
  readonly status: string;
  /** Tells the files of one pull apart. */
  readonly file?: string;
  readonly completedBytes?: number;
  readonly totalBytes?: number;
}

/** The body of POST /v1/chat/completions, with every field of it that the server knows; it always streams. */
export interface ClientChatRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: unknown; readonly [field: string]: unknown }[];
  readonly [field: string]: unknown;
}

export type ClientChatEvent =
  | { readonly type: "start"; readonly model: string; readonly droppedTokens: number }
  | { readonly type: "text-delta"; readonly text: string }
  | { readonly type: "reasoning-delta"; readonly text: string }
  | { readonly type: "tool-call"; readonly call: ToolCall }
  | {
      readonly type: "finish";
      readonly reason: FinishReason;
      readonly usage: Usage;
      readonly timings: Pick<Timings, "promptMs" | "generateMs">;
    };

/** A hearth server from outside: works in Node and in browsers. Errors are HearthError with the server's code. */
export interface Client {
  health(options?: CallOptions): Promise<Health>;
  models(options?: CallOptions): Promise<readonly ModelSummary[]>;
  loaded(options?: CallOptions): Promise<readonly LoadedSummary[]>;
  stats(options?: CallOptions): Promise<ServerStats>;
  /** Unloads a model now. Returns whether it was loaded. */
  stop(model: string, options?: CallOptions): Promise<boolean>;
  /** Puts an idle model to sleep now: it gives its memory back until the next request. Throws why it cannot. */
  sleep(model: string, options?: CallOptions): Promise<void>;
  /** Leaving the loop early, like the signal, stops the generation. */
  chat(request: ClientChatRequest, options?: CallOptions): AsyncIterable<ClientChatEvent>;
  /** Fetches a model into the server's store. */
  pull(model: string, options?: CallOptions): AsyncIterable<PullProgress>;
}
