/** The events of one generation → Ollama's stream of objects, or its one object. */
import { HearthError } from "../../error.ts";
import type { ChatEvent } from "../../spec/event.ts";
import type { OverflowReceipt } from "../../spec/sampling.ts";
import type { Reply } from "../route.ts";
import { collectAnswers } from "../shared/collect.ts";
import type { FrameMapping } from "../shared/frames.ts";
import { mapEvents } from "../shared/frames.ts";
import { receiptHeaders, toReceiptBody } from "../shared/receipt.ts";
import { startEvents } from "../shared/start.ts";
import type { WireLogprob, WireToolCall } from "./wire.ts";
import { timestamp, toLogprobs, toMetrics, toToolCall } from "./wire.ts";

/** A part of an answer, or the whole of it. */
export interface Piece {
  readonly content: string;
  readonly thinking: string;
  readonly toolCalls: readonly WireToolCall[];
  readonly logprobs: readonly WireLogprob[];
}

export interface AnswerOptions {
  readonly model: string;
  readonly stream: boolean;
  readonly topLogprobs: number | undefined;
  /** The fields of the endpoint: `message` of chat, `response` of generate. */
  readonly fields: (piece: Piece) => object;
  /** Fields of the last object, made from the text of the whole answer. */
  readonly last?: (text: string) => object;
}

export const emptyPiece: Piece = { content: "", thinking: "", toolCalls: [], logprobs: [] };

/** Waits for the `start` event, so that a refusal has a status code; only then does a stream begin. */
export async function answer(events: AsyncIterable<ChatEvent>, options: AnswerOptions): Promise<Reply> {
  const started = await startEvents(events);
  const { receipt } = started.start;
  const headers = receiptHeaders(receipt);
  if (options.stream)
    return { kind: "ndjson", headers, frames: mapEvents(started.events, createMapping(options, receipt)) };
  return { kind: "json", headers, body: await collect(started.events, options, receipt) };
}

/** The answer to an empty prompt, which loads or unloads a model. */
export function idleAnswer(model: string, reason: "load" | "unload", fields: object): Reply {
  return { kind: "json", body: { ...head(model), ...fields, done: true, done_reason: reason } };
}

function createMapping(options: AnswerOptions, receipt: OverflowReceipt | undefined): FrameMapping<object> {
  const texts: string[] = [];
  let finished = false;
  return {
    map(event) {
      if (event.type === "text-delta" && options.last) texts.push(event.text);
      if (event.type === "finish") {
        finished = true;
        return [
          {
            ...head(options.model),
            ...options.fields(emptyPiece),
            ...tail(event, receipt),
            ...options.last?.(texts.join("")),
          },
        ];
      }
      const piece = toPiece(event, options.topLogprobs);
      return piece ? [{ ...head(options.model), ...pieceFields(piece, options), done: false }] : [];
    },
    end() {
      if (!finished) throw new HearthError("internal", "A generation ended without a finish event.");
      return [];
    },
  };
}

async function collect(
  events: AsyncIterable<ChatEvent>,
  options: AnswerOptions,
  receipt: OverflowReceipt | undefined,
): Promise<object> {
  const [whole] = await collectAnswers(events);
  if (!whole) throw new HearthError("internal", "A generation ended without an answer.");
  const piece: Piece = {
    content: whole.text,
    thinking: whole.reasoning,
    toolCalls: whole.toolCalls.map(toToolCall),
    logprobs: toLogprobs(whole.logprobs, options.topLogprobs),
  };
  return {
    ...head(options.model),
    ...pieceFields(piece, options),
    ...tail(whole, receipt),
    ...options.last?.(whole.text),
  };
}

function toPiece(event: ChatEvent, topLogprobs: number | undefined): Piece | undefined {
  switch (event.type) {
    case "text-delta": {
      const logprobs = toLogprobs(event.logprobs, topLogprobs);
      return event.text === "" && logprobs.length === 0 ? undefined : { ...emptyPiece, content: event.text, logprobs };
    }
    case "reasoning-delta":
      return event.text === "" ? undefined : { ...emptyPiece, thinking: event.text };
    case "tool-call-end":
      return { ...emptyPiece, toolCalls: [toToolCall(event, event.callIndex)] };
    default:
      // Ollama sends a call when it is complete, so its start and its parts say nothing.
      return undefined;
  }
}

function pieceFields(piece: Piece, options: AnswerOptions): object {
  return { ...options.fields(piece), ...(piece.logprobs.length > 0 ? { logprobs: piece.logprobs } : {}) };
}

function head(model: string): object {
  return { model, created_at: timestamp() };
}

function tail(
  { reason, usage, timings }: Pick<Extract<ChatEvent, { type: "finish" }>, "reason" | "usage" | "timings">,
  receipt: OverflowReceipt | undefined,
): object {
  return {
    done: true,
    // Ollama has no word for an answer that ends in tool calls.
    done_reason: reason === "length" ? "length" : "stop",
    ...toMetrics(usage, timings),
    ...(receipt ? { hearth: { receipt: toReceiptBody(receipt) } } : {}),
  };
}
