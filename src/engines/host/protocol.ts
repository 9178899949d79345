/**
 * What parent and child process say to each other. Messages go as arrays, in order, over Node's IPC channel; large typed
 * arrays go beside them (`parcel.ts`).
 */
import type { SerializedError } from "../../error.ts";
import type {
  Device,
  EmbedRequest,
  EmbedResult,
  EngineMemory,
  EngineModel,
  EngineProfile,
  EngineStats,
  GenerateRequest,
  LoadOptions,
  PromptPart,
  RerankRequest,
  RerankResult,
  ScoreRequest,
  ScoreResult,
} from "../../spec/engine.ts";
import type { GenerateEvent } from "../../spec/event.ts";
import type { Capability, Progress } from "../../spec/model.ts";
import type { TaskName, Tasks } from "../../spec/perform.ts";
import type { Sampling } from "../../spec/sampling.ts";

/** What the child says of the model it has loaded. */
export interface LoadedDescription {
  readonly capabilities: readonly Capability[];
  readonly device: Exclude<Device, "auto">;
  readonly contextTokens: number;
  readonly parallel: number;
  readonly samplingOptions: readonly (keyof Sampling)[];
  readonly memory: EngineMemory;
  /** Undefined: the engine keeps none. */
  readonly stats: EngineStats | undefined;
  /** Whether the engine can say how likely a prompt is. */
  readonly scores: boolean;
  /** Whether the engine can say where its time goes. */
  readonly profiles: boolean;
  /** Whether it can give its memory back while nobody needs it. */
  readonly sleeps: boolean;
  /** Whether it has tasks besides text generation. */
  readonly performs: boolean;
}

/** Requests with one answer: kind → what goes out and what comes back. */
export interface HostCalls {
  readonly load: {
    /** Whatever the engine's own entry needs, e.g. where its native library is. */
    readonly params: { readonly setup: unknown; readonly model: EngineModel; readonly options: LoadOptions };
    readonly result: LoadedDescription;
  };
  readonly tokenize: { readonly params: readonly PromptPart[]; readonly result: readonly number[] };
  readonly detokenize: { readonly params: readonly number[]; readonly result: string };
  readonly score: { readonly params: ScoreRequest; readonly result: ScoreResult };
  readonly embed: { readonly params: EmbedRequest; readonly result: EmbedResult };
  readonly rerank: { readonly params: RerankRequest; readonly result: RerankResult };
  readonly perform: {
    readonly params: { readonly task: TaskName; readonly request: Tasks[TaskName]["request"] };
    readonly result: Tasks[TaskName]["result"];
  };
  readonly profile: { readonly params: undefined; readonly result: EngineProfile };
  readonly sleep: { readonly params: undefined; readonly result: boolean };
}
export type HostCallName = keyof HostCalls;

type CallMessage = {
  [Name in HostCallName]: { readonly type: Name; readonly id: number; readonly params: HostCalls[Name]["params"] };
}[HostCallName];

export type HostRequest =
  | CallMessage
  | { readonly type: "generate"; readonly id: number; readonly params: GenerateRequest }
  /** The caller of this id has gone; its work stops within one step. */
  | { readonly type: "cancel"; readonly id: number }
  | { readonly type: "ping" }
  /** The first message, where there are files for parcels. */
  | { readonly type: "parcels" }
  | Taken
  | { readonly type: "dispose" };

/** Places of parcels that the other side can use again. */
export interface Taken {
  readonly type: "taken";
  readonly places: readonly number[];
}

export type HostReply =
  | Taken
  | { readonly type: "result"; readonly id: number; readonly value: unknown }
  | { readonly type: "error"; readonly id: number; readonly error: SerializedError }
  | { readonly type: "progress"; readonly id: number; readonly progress: Progress }
  | { readonly type: "event"; readonly id: number; readonly event: GenerateEvent }
  /** Part of the result of a task. */
  | { readonly type: "part"; readonly id: number; readonly part: Tasks[TaskName]["part"] }
  /** No more events for this id. */
  | { readonly type: "end"; readonly id: number }
  /** One line for the person at the terminal. */
  | { readonly type: "notice"; readonly text: string }
  /** How the model is: asked by `ping`, after each request, and now and then while requests run. */
  | { readonly type: "pong"; readonly memory: EngineMemory | undefined; readonly stats: EngineStats | undefined };
