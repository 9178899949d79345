/** The chunks of /v1/chat/completions → events. */
import { HearthError } from "../error.ts";
import type { FinishReason } from "../spec/event.ts";
import type { ToolCall } from "../spec/message.ts";
import { toError } from "./http.ts";
import { parseJson } from "./ndjson.ts";
import { readSse } from "./sse.ts";
import type { ClientChatEvent } from "./types.ts";

/** The fields of a chunk that are read here; the server is ours, so they are trusted. */
interface Chunk {
  readonly model: string;
  readonly choices: readonly {
    readonly delta: {
      readonly content?: string | null;
      readonly reasoning_content?: string;
      readonly tool_calls?: readonly CallDelta[];
    };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  } | null;
  readonly timings?: { readonly prompt_ms: number; readonly predicted_ms: number };
  readonly hearth?: { readonly receipt?: { readonly dropped_tokens: number } };
}

interface CallDelta {
  readonly index: number;
  readonly id?: string;
  readonly function: { readonly name?: string; readonly arguments?: string };
}

type Finish = Extract<ClientChatEvent, { type: "finish" }>;

interface State {
  readonly calls: Map<number, ToolCall>;
  started: boolean;
  usage: Finish["usage"];
  finish: Omit<Finish, "type" | "usage"> | undefined;
}

/** Throws what the server says in an error frame, and `engine_failed` when the stream ends before its end. */
export async function* readChat(body: ReadableStream<Uint8Array>): AsyncGenerator<ClientChatEvent, void, undefined> {
  const usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
  const state: State = { calls: new Map(), started: false, usage, finish: undefined };
  let complete = false;
  for await (const { data } of readSse(body)) {
    complete = data === "[DONE]";
    if (complete) break;
    const chunk = parseJson(data);
    const error = toError(chunk);
    if (error) throw error;
    yield* toEvents(chunk as Chunk, state);
  }
  if (!complete || !state.finish)
    throw new HearthError("engine_failed", "The server's answer ended in the middle.", { hint: "Try again." });
  yield { type: "finish", ...state.finish, usage: state.usage };
}

function* toEvents({ model, choices, usage, timings, hearth }: Chunk, state: State): Generator<ClientChatEvent> {
  if (!state.started) yield { type: "start", model, droppedTokens: hearth?.receipt?.dropped_tokens ?? 0 };
  state.started = true;
  for (const { delta, finish_reason: reason } of choices) {
    if (delta.reasoning_content) yield { type: "reasoning-delta", text: delta.reasoning_content };
    if (delta.content) yield { type: "text-delta", text: delta.content };
    for (const part of delta.tool_calls ?? []) addCall(state.calls, part);
    if (!reason) continue;
    for (const call of state.calls.values()) yield { type: "tool-call", call };
    const { prompt_ms: promptMs = 0, predicted_ms: generateMs = 0 } = timings ?? {};
    state.finish = { reason: toReason(reason), timings: { promptMs, generateMs } };
  }
  if (!usage) return;
  state.usage = {
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.prompt_tokens_details.cached_tokens,
    completionTokens: usage.completion_tokens,
  };
}

/** The first part of a call has its id and name; the parts of its arguments are joined. */
function addCall(calls: Map<number, ToolCall>, { index, id, function: part }: CallDelta): void {
  const call = calls.get(index) ?? { id: id ?? "", name: part.name ?? "", arguments: "" };
  calls.set(index, { ...call, arguments: call.arguments + (part.arguments ?? "") });
}

function toReason(reason: string): FinishReason {
  if (reason === "tool_calls") return "tool-calls";
  return reason === "length" ? "length" : "stop";
}
