/** Events → chunks, with the state that a stream has between them. */
import type { ChatEvent, LogprobEntry, PromptLogprobs } from "../../spec/event.ts";
import type { OverflowReceipt } from "../../spec/sampling.ts";
import type { SseFrame } from "../route.ts";
import type { FrameMapping } from "../shared/frames.ts";
import { toReceiptBody } from "../shared/receipt.ts";
import type { CompletionLogprobsBody } from "./logprobs.ts";
import { toChatLogprobs, toCompletionLogprobs } from "./logprobs.ts";
import { toEchoLogprobs } from "./prompt-logprobs.ts";
import type { ResponseHead } from "./response.ts";
import { toFinishReason } from "./response.ts";
import type { Measured } from "./usage.ts";
import { sumUsage, toTimingsBody, toUsageBody } from "./usage.ts";

export interface StreamOptions {
  readonly head: ResponseHead;
  /** Answers to each prompt. */
  readonly n: number;
  readonly logprobs: boolean;
  /** So many of the likeliest tokens at each place of a repeated prompt; absent: it has no logprobs. */
  readonly echoLogprobs?: number | undefined;
  readonly includeUsage: boolean;
  readonly receipt: OverflowReceipt | undefined;
}

type Body = Readonly<Record<string, unknown>>;
/** A part of one choice that goes out as one chunk. */
type Piece = Body & { readonly index: number };
type Finish = Extract<ChatEvent, { type: "finish" }>;
type TextDelta = Extract<ChatEvent, { type: "text-delta" }>;
type PieceOf = (event: Exclude<ChatEvent, { type: "start" | "finish" }>) => Piece | undefined;

/** Chunks of `/v1/chat/completions`: the role first, then text, reasoning and tool calls, then the finish reason. */
export function createChatStream(options: StreamOptions): FrameMapping<SseFrame> & { begin(): readonly SseFrame[] } {
  const pieceOf = createChatPieces(options.logprobs);
  const chunks = createChunks("chat.completion.chunk", options, ({ index, reason }) => ({
    index,
    delta: {},
    logprobs: null,
    finish_reason: toFinishReason(reason),
  }));
  return {
    begin() {
      return Array.from({ length: options.n }, (_, index) =>
        chunks.frame(toChatPiece(index, { role: "assistant", content: "" })),
      );
    },
    map: (event) => chunks.map(event, pieceOf),
    end: () => chunks.end(),
  };
}

/** Chunks of `/v1/completions`. */
export function createCompletionStream(options: StreamOptions): FrameMapping<SseFrame> {
  const offsets = new Map<number, number>();
  const prompts = new Map<number, PromptLogprobs>();
  const chunks = createChunks("text_completion", options, ({ index, reason }) => ({
    index,
    text: "",
    logprobs: null,
    finish_reason: toFinishReason(reason),
  }));
  const toLogprobs = ({ index, text, echo, logprobs }: TextDelta, offset: number): CompletionLogprobsBody => {
    const { echoLogprobs: count } = options;
    const prompt = echo && prompts.get(index);
    if (prompt && count !== undefined) return toEchoLogprobs(prompt, { text, count });
    return toCompletionLogprobs(logprobs ?? [], offset);
  };
  const pieceOf: PieceOf = (event) => {
    if (event.type === "prompt-logprobs") prompts.set(event.index, event.logprobs);
    if (event.type !== "text-delta") return undefined;
    const offset = offsets.get(event.index) ?? 0;
    offsets.set(event.index, offset + event.text.length);
    const logprobs = options.logprobs ? toLogprobs(event, offset) : null;
    if (event.text === "" && !logprobs?.tokens.length) return undefined;
    return { index: event.index, text: event.text, logprobs, finish_reason: null };
  };
  return { map: (event) => chunks.map(event, pieceOf), end: () => chunks.end() };
}

interface Chunks {
  frame(piece: Piece): SseFrame;
  map(event: ChatEvent, pieceOf: PieceOf): readonly SseFrame[];
  end(): readonly SseFrame[];
}

function createChunks(object: string, options: StreamOptions, finishPiece: (event: Finish) => Piece): Chunks {
  const { head, n, includeUsage } = options;
  const finished: Measured[] = [];
  let receipt = options.receipt;

  const frame = (choices: readonly Piece[], more: Body): SseFrame => {
    const hearth = receipt && { hearth: { receipt: toReceiptBody(receipt) } };
    receipt = undefined;
    return { data: JSON.stringify({ ...head, object, choices, ...more, ...hearth }) };
  };
  /** With include_usage each chunk has the field, null until the last. */
  const usage = includeUsage ? { usage: null } : {};

  return {
    frame: (piece) => frame([piece], usage),
    map(event, pieceOf) {
      if (event.type === "start") {
        receipt = event.receipt;
        return [];
      }
      if (event.type === "finish") {
        finished.push(event);
        return [frame([finishPiece(event)], { ...usage, timings: toTimingsBody([event], 1) })];
      }
      const piece = pieceOf(event);
      return piece ? [frame([piece], usage)] : [];
    },
    end() {
      const last = includeUsage ? [frame([], { usage: toUsageBody(sumUsage(finished, n)) })] : [];
      return [...last, { data: "[DONE]" }];
    },
  };
}

function toChatPiece(index: number, delta: Body, entries?: readonly LogprobEntry[]): Piece {
  return { index, delta, logprobs: entries ? toChatLogprobs(entries) : null, finish_reason: null };
}

function createChatPieces(logprobs: boolean): PieceOf {
  /** Arguments sent so far, by choice and call. */
  const sent = new Map<string, string>();
  return (event) => {
    switch (event.type) {
      case "prompt-logprobs":
        return undefined;
      case "text-delta":
        if (event.text === "" && !event.logprobs) return undefined;
        return toChatPiece(event.index, { content: event.text }, logprobs ? event.logprobs : undefined);
      case "reasoning-delta":
        return toChatPiece(event.index, { reasoning_content: event.text, reasoning: event.text });
      case "tool-call-start": {
        const call = { id: event.id, type: "function", function: { name: event.name, arguments: "" } };
        return toChatPiece(event.index, { tool_calls: [{ index: event.callIndex, ...call }] });
      }
      case "tool-call-delta": {
        const key = `${event.index}:${event.callIndex}`;
        sent.set(key, (sent.get(key) ?? "") + event.argumentsDelta);
        return toArgumentsPiece(event, event.argumentsDelta);
      }
      default: {
        // tool-call-end. A model family whose calls are only parsed at their end has sent no deltas.
        const before = sent.get(`${event.index}:${event.callIndex}`) ?? "";
        const rest = event.arguments.startsWith(before) ? event.arguments.slice(before.length) : "";
        return rest === "" ? undefined : toArgumentsPiece(event, rest);
      }
    }
  };
}

function toArgumentsPiece(
  { index, callIndex }: { readonly index: number; readonly callIndex: number },
  delta: string,
): Piece {
  return toChatPiece(index, { tool_calls: [{ index: callIndex, function: { arguments: delta } }] });
}
