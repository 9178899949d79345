/** Runs one or several completions of a prompt and turns what the engine yields into chat events. */
import { createOutputParser } from "../chat/output/parser.ts";
import type { OutputParser } from "../chat/output/parser.ts";
import { HearthError } from "../error.ts";
import type { Lease } from "../runtime/contract.ts";
import type { GenerateRequest } from "../spec/engine.ts";
import type { ChatEvent, GenerateEvent, LogprobEntry } from "../spec/event.ts";
import type { OverflowReceipt } from "../spec/sampling.ts";
import { need } from "./capability.ts";
import { toTaskError } from "./failure.ts";
import type { Scored } from "./score.ts";
import { scorePrompt } from "./score.ts";
import { merge } from "./stream.ts";

export interface Generation {
  readonly lease: Lease;
  readonly request: GenerateRequest;
  /** Completions. */
  readonly n: number;
  readonly signal: AbortSignal;
  /** When the request came, `performance.now()`. */
  readonly startedAt: number;
  readonly receipt?: OverflowReceipt | undefined;
  /** Text that stands before each answer. */
  readonly echo?: string | undefined;
  /** Say how likely the prompt is, with so many of the likeliest tokens at each place. */
  readonly promptLogprobs?: number | undefined;
  /** Splits the text; one for each completion. Default: all of it is the answer. */
  readonly createParser?: (() => OutputParser) | undefined;
}

interface Run extends Generation {
  readonly scored: Scored | undefined;
}

/** `start` comes with the first sign of the engine: what it refuses is thrown before any event. */
export async function* generate(generation: Generation): AsyncGenerator<ChatEvent> {
  const { lease, n, signal, receipt, promptLogprobs } = generation;
  const stop = new AbortController();
  let started = false;
  try {
    const scored = promptLogprobs === undefined ? undefined : await scorePrompt(generation, promptLogprobs);
    const inner = { ...generation, scored, signal: AbortSignal.any([signal, stop.signal]) };
    const sources = Array.from({ length: n }, (_, index) => complete(inner, index));
    for await (const event of merge(sources, () => stop.abort(new HearthError("aborted", "Not needed any more.")))) {
      if (!started) yield { type: "start", model: lease.model.name, ...(receipt && { receipt }) };
      started = true;
      if (event !== "ready") yield event;
    }
  } catch (error) {
    throw toTaskError(error, signal);
  }
}

/** The events of one completion; `ready` once the engine has taken it. */
async function* complete(generation: Run, index: number): AsyncGenerator<ChatEvent | "ready"> {
  const { lease, request, signal, scored } = generation;
  if (scored && request.maxTokens === 0) {
    yield "ready";
    yield* beginning(generation, index);
    yield finishEvent(generation, index, nothingMore(scored));
    return;
  }
  const parser = (generation.createParser ?? passingParser)();
  const pending: LogprobEntry[] = [];
  let finished = false;
  const events = lease.watch(need(lease, "generate")(seeded(request, index), { signal }));
  for await (const event of events) {
    if (event.type === "prompt-start") {
      yield "ready";
    } else if (event.type === "prompt-end") {
      yield* beginning(generation, index);
    } else if (event.type === "token-delta") {
      pending.push(...(event.logprobs ?? []));
      yield* withLogprobs(parser.push(event.text), index, pending);
    } else {
      finished = true;
      yield* withLogprobs(parser.end(), index, pending);
      if (pending.length > 0 && !parser.active) yield { type: "text-delta", index, text: "", logprobs: pending };
      yield finishEvent(generation, index, { ...event, calls: parser.calls });
    }
  }
  if (!finished) throw new HearthError("engine_failed", `The engine "${lease.loaded.engine}" stopped without an end.`);
}

/** What comes before the answer. Where the prompt has logprobs and is repeated, the text comes even if it is empty. */
function* beginning({ scored, echo }: Run, index: number): Generator<ChatEvent> {
  if (scored) yield { type: "prompt-logprobs", index, logprobs: scored.logprobs };
  if (echo !== undefined && (scored || echo !== "")) yield { type: "text-delta", index, text: echo, echo: true };
}

/** The end of a completion that was asked for its prompt alone. */
function nothingMore({ promptTokens }: Scored): Finished {
  const usage = { promptTokens, cachedTokens: 0, completionTokens: 0 };
  return { reason: "length", usage, promptMs: 0, generateMs: 0, calls: 0 };
}

function passingParser(): OutputParser {
  return createOutputParser({ format: "json" });
}

/** Each completion gets a seed of its own, or all of them would be the same. */
function seeded(request: GenerateRequest, index: number): GenerateRequest {
  const { seed } = request.sampling;
  if (seed === undefined || index === 0) return request;
  return { ...request, sampling: { ...request.sampling, seed: seed + index } };
}

/** Gives the waiting logprobs to the first text; those of thoughts and calls have no place in an answer. */
function* withLogprobs(
  events: ReturnType<OutputParser["push"]>,
  index: number,
  pending: LogprobEntry[],
): Generator<ChatEvent> {
  for (const event of events) {
    if (event.type !== "text-delta") {
      pending.length = 0;
      yield { ...event, index };
    } else if (pending.length > 0) {
      yield { ...event, index, logprobs: pending.splice(0) };
    } else yield { ...event, index };
  }
}

interface Finished extends Omit<Extract<GenerateEvent, { type: "finish" }>, "type"> {
  /** Tool calls in the answer. */
  readonly calls: number;
}

function finishEvent({ lease, startedAt, scored }: Run, index: number, finished: Finished): ChatEvent {
  const { queueMs, loadMs } = lease;
  const { stopString, usage, generateMs, calls } = finished;
  const reason = calls > 0 && finished.reason === "stop" ? "tool-calls" : finished.reason;
  const promptMs = finished.promptMs + (scored?.ms ?? 0);
  const totalMs = performance.now() - startedAt;
  const timings = { queueMs, loadMs, promptMs, generateMs, totalMs };
  return { type: "finish", index, reason, ...(stopString !== undefined && { stopString }), usage, timings };
}
