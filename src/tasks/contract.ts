/** The typed library as one object: what dialects, commands and programs call. Implemented by `hearth.ts`. */
import type { Settings } from "../config/settings.ts";
import type { ModelLibrary } from "../models/contract.ts";
import type { Runtime } from "../runtime/contract.ts";
import type { ChatEvent } from "../spec/event.ts";
import type { TaskName } from "../spec/perform.ts";
import type {
  ChatRequest,
  CompleteRequest,
  EmbedTaskRequest,
  EmbedTaskResult,
  PerformTaskRequest,
  PerformTaskResult,
  RerankTaskRequest,
  RerankTaskResult,
} from "../spec/task.ts";

export interface Hearth {
  readonly settings: Settings;
  readonly library: ModelLibrary;
  readonly runtime: Runtime;
  /** First event is `start`; what it throws before that is a refusal, with nothing generated. */
  chat(request: ChatRequest): AsyncIterable<ChatEvent>;
  complete(request: CompleteRequest): AsyncIterable<ChatEvent>;
  embed(request: EmbedTaskRequest): Promise<EmbedTaskResult>;
  rerank(request: RerankTaskRequest): Promise<RerankTaskResult>;
  /** Runs a task of a model that is no language model: vision, speech, raw tensors. See `spec/perform.ts`. */
  perform<Name extends TaskName>(request: PerformTaskRequest<Name>): Promise<PerformTaskResult<Name>>;
  dispose(): Promise<void>;
}
