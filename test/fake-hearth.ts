/** A scripted `Hearth` for tests of dialects and the server: no runtime, no engine. */
import type { Settings } from "../src/config/settings.ts";
import { settingsTable } from "../src/config/settings.ts";
import { HearthError } from "../src/error.ts";
import type { ChatEvent, FinishReason } from "../src/spec/event.ts";
import type { Perform, TaskName } from "../src/spec/perform.ts";
import type {
  ChatRequest,
  CompleteRequest,
  EmbedTaskRequest,
  PerformTaskRequest,
  RerankTaskRequest,
} from "../src/spec/task.ts";
import type { Hearth } from "../src/tasks/contract.ts";
import { createFakeLibrary } from "./fake-library.ts";

export type Generation = (request: ChatRequest | CompleteRequest) => AsyncIterable<ChatEvent>;

export interface FakeHearthOptions {
  readonly settings?: Partial<Settings>;
  /** Default: says "Hello world." to everything. */
  readonly generate?: Generation;
  readonly models?: readonly string[];
  /** What the tasks of `perform` answer. Default: they are refused. */
  readonly perform?: Perform;
}

export interface FakeHearth extends Hearth {
  /** Every request that arrived, as the dialect built it. */
  readonly requests: (
    | ChatRequest
    | CompleteRequest
    | EmbedTaskRequest
    | RerankTaskRequest
    | { [Name in TaskName]: PerformTaskRequest<Name> }[TaskName]
  )[];
}

export const defaultSettings: Settings = Object.fromEntries(
  Object.entries(settingsTable).map(([name, row]) => [name, row.default]),
) as unknown as Settings;

export function createFakeHearth(options: FakeHearthOptions = {}): FakeHearth {
  const requests: FakeHearth["requests"] = [];
  const { generate = () => say(["Hello", " world."]), models = ["tiny:latest", "owner/big:q4"] } = options;
  const library = createFakeLibrary(models.map((name) => ({ name })));
  const run = (request: ChatRequest | CompleteRequest): AsyncIterable<ChatEvent> => {
    requests.push(request);
    return whenInstalled(library, request, generate);
  };
  return {
    requests,
    settings: { ...defaultSettings, ...options.settings },
    library,
    runtime: fakeRuntime(),
    chat: run,
    complete: run,
    async embed(request) {
      requests.push(request);
      const { name: model } = await library.resolve(request.model);
      const vectors = request.texts.map((text) => Float32Array.of(text.length, 0.5, -0.25));
      return { model, vectors, tokens: request.texts.length * 3, truncated: [], loadMs: 0, totalMs: 1 };
    },
    async rerank(request) {
      requests.push(request);
      const { name: model } = await library.resolve(request.model);
      const results = request.documents.map((text, index) => ({ index, score: 1 / (1 + text.length) }));
      results.sort((a, b) => b.score - a.score);
      return { model, results: results.slice(0, request.topN ?? results.length), tokens: 9 };
    },
    async perform(request) {
      // One of them, whichever it is.
      requests.push(request as FakeHearth["requests"][number]);
      const { name: model } = await library.resolve(request.model);
      const { task, input, signal, onPart } = request;
      if (!options.perform) throw new HearthError("unsupported_capability", `Model "${model}" cannot ${task}.`);
      const output = await options.perform(task, input, { ...(signal && { signal }), ...(onPart && { onPart }) });
      return { model, output, loadMs: 0, totalMs: 1 };
    },
    async dispose() {},
  };
}

async function* whenInstalled(
  library: Hearth["library"],
  request: ChatRequest | CompleteRequest,
  generate: Generation,
): AsyncIterable<ChatEvent> {
  await library.resolve(request.model);
  yield* generate(request);
}

export const start: ChatEvent = { type: "start", model: "tiny:latest" };

export function text(value: string, index = 0): ChatEvent {
  return { type: "text-delta", index, text: value };
}

export function finish(reason: FinishReason = "stop", index = 0): ChatEvent {
  return {
    type: "finish",
    index,
    reason,
    usage: { promptTokens: 7, cachedTokens: 2, completionTokens: 4 },
    timings: { queueMs: 1, loadMs: 2, promptMs: 10, generateMs: 40, totalMs: 53 },
  };
}

/** The events of an answer with these pieces of text. */
export async function* say(pieces: readonly string[], reason: FinishReason = "stop"): AsyncIterable<ChatEvent> {
  yield* eventsOf([start, ...pieces.map((piece) => text(piece)), finish(reason)]);
}

export async function* eventsOf(events: readonly ChatEvent[]): AsyncIterable<ChatEvent> {
  for (const event of events) yield event;
}

/** A generation that is refused before it starts. */
export function refuse(error: unknown): AsyncIterable<ChatEvent> {
  const next = async (): Promise<never> => {
    throw error;
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

/** Says `pieces`, then waits until the request is aborted. `onAbort` is called when it is. */
export async function* sayAndWait(
  request: ChatRequest | CompleteRequest,
  pieces: readonly string[],
  onAbort: () => void = () => {},
): AsyncIterable<ChatEvent> {
  yield* eventsOf([start, ...pieces.map((piece) => text(piece))]);
  await aborted(request.signal);
  onAbort();
  throw new HearthError("aborted", "The request was cancelled.");
}

export async function aborted(signal: AbortSignal | undefined): Promise<void> {
  if (!signal) throw new Error("the request has no signal");
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function fakeRuntime(): Hearth["runtime"] {
  const unused = async (): Promise<never> => {
    throw new Error("the fake hearth has no runtime");
  };
  return {
    acquire: unused,
    plan: unused,
    stop: async () => false,
    async sleep() {},
    loaded: () => [],
    totals: () => [],
    stats: () => ({
      loads: 3,
      loadFailures: 1,
      evictions: 2,
      sleeps: 2,
      wakes: 2,
      engineDeaths: 1,
      refused: 0,
      running: 1,
      waiting: 0,
      budgetBytes: 4096,
      usedBytes: 1024,
    }),
    async drain() {},
    async dispose() {},
  };
}
