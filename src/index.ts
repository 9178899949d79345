/** hearth as a library: every public name. */
import type { PullOptions } from "./models/contract.ts";
import type { ChatEvent } from "./spec/event.ts";
import type { InstalledModel } from "./spec/model.ts";
import type {
  ChatRequest,
  CompleteRequest,
  EmbedTaskRequest,
  EmbedTaskResult,
  RerankTaskRequest,
  RerankTaskResult,
} from "./spec/task.ts";
import type { TaskFunction } from "./tasks/call.ts";
import { taskFunction } from "./tasks/call.ts";
import type { Hearth } from "./tasks/contract.ts";
import { createHearth } from "./tasks/hearth.ts";

export { createHearth } from "./tasks/hearth.ts";
export { HearthError } from "./error.ts";

export type { ErrorCode, ErrorDetails, ErrorOptions } from "./error.ts";
export type { HearthOptions } from "./tasks/hearth.ts";
export type { Hearth } from "./tasks/contract.ts";
export type { Settings } from "./config/settings.ts";
export type { CatalogEntry, CatalogSource, ModelLibrary, PullOptions, VerifyResult } from "./models/contract.ts";
export type { LoadedStatus, MemoryEstimate, ModelTotals, Plan, Runtime, RuntimeStats } from "./runtime/contract.ts";
export type {
  ChatRequest,
  CompleteRequest,
  EmbedTaskRequest,
  EmbedTaskResult,
  GenerationOptions,
  PerformTaskRequest,
  PerformTaskResult,
  RerankTaskRequest,
  RerankTaskResult,
  TaskOptions,
} from "./spec/task.ts";
export type { AudioInput, Box, ImageInput, ImageOutput, Point, Tensor, TensorInfo, TensorType } from "./spec/media.ts";
export type { Signature, TaskName, Tasks } from "./spec/perform.ts";
export type { TaskCall, TaskFunction } from "./tasks/call.ts";
export type {
  ChatEvent,
  FinishReason,
  LogprobEntry,
  PromptLogprob,
  PromptLogprobs,
  TokenLogprob,
  TokenText,
} from "./spec/event.ts";
export type {
  AudioPart,
  ContentPart,
  ImagePart,
  JsonSchema,
  Message,
  TextPart,
  Tool,
  ToolCall,
  ToolChoice,
} from "./spec/message.ts";
export type { Capability, Format, InstalledModel, ModelFile, ModelInfo, ModelOrigin, Progress } from "./spec/model.ts";
export type { OutputFormat, OverflowPolicy, OverflowReceipt, Sampling } from "./spec/sampling.ts";
export type { Device, KvType, LoadOptions, Priority } from "./spec/engine.ts";
export type { Timings, Usage } from "./spec/usage.ts";

let shared: Hearth | undefined;

/** The instance behind the functions below, made by the first of them from the environment and `settings.json`. */
function hearth(): Hearth {
  return (shared ??= createHearth());
}

/**
 * Answers a conversation as a stream of events: `start`, then deltas of text, reasoning and tool calls, then `finish`.
 * Leaving the loop stops the model.
 */
export function chat(request: ChatRequest): AsyncIterable<ChatEvent> {
  return hearth().chat(request);
}

/** Goes on with a text, or fills a gap when there is a `suffix`. */
export function complete(request: CompleteRequest): AsyncIterable<ChatEvent> {
  return hearth().complete(request);
}

/** One vector of length 1 per text. */
export async function embed(request: EmbedTaskRequest): Promise<EmbedTaskResult> {
  return await hearth().embed(request);
}

/** Orders documents by how well they answer a query. */
export async function rerank(request: RerankTaskRequest): Promise<RerankTaskResult> {
  return await hearth().rerank(request);
}

/** Says what pictures, sounds or texts are. */
export const classify: TaskFunction<"classify"> = taskFunction("classify", hearth);
/** Finds names of people, places and others in texts. */
export const entities: TaskFunction<"tokens"> = taskFunction("tokens", hearth);
/** Finds objects in a picture, with their boxes. */
export const detect: TaskFunction<"detect"> = taskFunction("detect", hearth);
/** Finds which pixels belong to what. */
export const segment: TaskFunction<"segment"> = taskFunction("segment", hearth);
/** Estimates how near each pixel is. */
export const depth: TaskFunction<"depth"> = taskFunction("depth", hearth);
/** Finds the joints of people and hands, the points of faces. */
export const pose: TaskFunction<"pose"> = taskFunction("pose", hearth);
/** Reads the text in a picture. */
export const ocr: TaskFunction<"ocr"> = taskFunction("ocr", hearth);
/** Says what a picture shows. */
export const caption: TaskFunction<"caption"> = taskFunction("caption", hearth);
/** Cuts out what a picture shows. */
export const removeBackground: TaskFunction<"remove-background"> = taskFunction("remove-background", hearth);
/** Makes a picture larger. */
export const upscale: TaskFunction<"upscale"> = taskFunction("upscale", hearth);
/** Vectors of pictures, and of texts that can be compared with them. */
export const embedImages: TaskFunction<"embed-image"> = taskFunction("embed-image", hearth);
/** Writes down what is said; parts are utterances. */
export const transcribe: TaskFunction<"transcribe"> = taskFunction("transcribe", hearth);
/** Translates a text. */
export const translate: TaskFunction<"translate"> = taskFunction("translate", hearth);
/** Says a text; the sound comes in parts. */
export const speak: TaskFunction<"speak"> = taskFunction("speak", hearth);
/** Says who speaks when. */
export const diarize: TaskFunction<"diarize"> = taskFunction("diarize", hearth);
/** Says where somebody speaks. */
export const findVoice: TaskFunction<"voice"> = taskFunction("voice", hearth);
/** Runs plain tensors through a model. */
export const infer: TaskFunction<"infer"> = taskFunction("infer", hearth);

/** Fetches a model, or returns it at once when it is here. */
export async function pull(model: string, options?: PullOptions): Promise<InstalledModel> {
  return await hearth().library.pull(model, options);
}

/** The models of this machine, those of other tools included. */
export async function list(): Promise<readonly InstalledModel[]> {
  return await hearth().library.list();
}

/** Unloads all models of the functions above and ends their engines; the next call begins anew. */
export async function dispose(): Promise<void> {
  const ending = shared;
  shared = undefined;
  await ending?.dispose();
}
