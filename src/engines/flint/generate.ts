/** Generations of one loaded model: a request takes a slot, the leader computes, tokens become events. */
import type { GenerateRequest } from "../../spec/engine.ts";
import type { GenerateEvent } from "../../spec/event.ts";
import type { Sampling } from "../../spec/sampling.ts";
import { abortError } from "../../util/abort.ts";
import { createChannel } from "../../util/channel.ts";
import type { Slots } from "../../util/slots.ts";
import type { LoadedAdapter } from "./adapters/choose.ts";
import { cacheKey, chooseAdapters } from "./adapters/choose.ts";
import { createOutput } from "./output.ts";
import type { ModelText } from "./text.ts";
import { tooLong } from "./text.ts";
import type { CallReply, FlintThreads } from "./threads/pool.ts";
import type { GenerateCommand } from "./threads/protocol.ts";

/** What all generations of one loaded model share. */
export interface GenerateContext {
  readonly threads: FlintThreads;
  readonly text: ModelText;
  readonly slots: Slots;
  readonly defaults: Sampling;
  readonly contextTokens: number;
  readonly adapters: readonly LoadedAdapter[];
}

export async function* generate(
  request: GenerateRequest,
  context: GenerateContext,
  signal: AbortSignal | undefined,
): AsyncGenerator<GenerateEvent> {
  const { contextTokens, slots } = context;
  if (signal?.aborted) throw abortError(signal);
  const prompt = context.text.promptTokens(request.prompt);
  // The last place is for the answer: a prompt that fills the context leaves none.
  if (prompt.length >= contextTokens) throw tooLong(prompt.length, contextTokens);
  const adapters = chooseAdapters(request, context.adapters);
  const key = cacheKey(request.tenant, adapters ?? context.adapters.map(({ scale }) => scale));
  const lease = await slots.acquire(key, prompt, signal).catch((error: unknown) => {
    throw signal?.aborted ? abortError(signal) : error;
  });
  const { index: slot, cachedTokens: keep } = lease;
  const run: Run = { request, prompt, history: [...prompt], adapters, slot, keep, signal, computed: 0 };
  try {
    yield* runGeneration(run, context);
  } finally {
    lease.release(run.history.slice(0, run.computed));
  }
}

interface Run {
  readonly request: GenerateRequest;
  readonly prompt: readonly number[];
  /** Grows by the tokens of the answer. */
  readonly history: number[];
  readonly adapters: readonly number[] | undefined;
  readonly slot: number;
  readonly keep: number;
  readonly signal: AbortSignal | undefined;
  /** Tokens that the slot's cache holds in the end. */
  computed: number;
}

async function* runGeneration(run: Run, context: GenerateContext): AsyncGenerator<GenerateEvent> {
  const { request, prompt, history, keep, signal } = run;
  const started = performance.now();
  const output = createOutput({
    tokenizer: context.text.tokenizer,
    stop: request.stop ?? [],
    topLogprobs: request.topLogprobs,
  });
  let promptMs: number | undefined;
  let ended = false;
  const promptEnd = (): GenerateEvent => {
    promptMs = performance.now() - started;
    return { type: "prompt-end", promptTokens: prompt.length, cachedTokens: keep, promptMs };
  };
  for await (const reply of replies(run, context)) {
    if (signal?.aborted) throw abortError(signal);
    if (reply.type === "begun") {
      yield { type: "prompt-start", promptTokens: prompt.length };
      continue;
    }
    if (promptMs === undefined) yield promptEnd();
    if (reply.type === "end") ended = reply.ended;
    else {
      history.push(reply.choice.token);
      yield output.take(reply.choice);
      if (output.stopped !== undefined) break;
    }
  }
  const rest = output.flush();
  if (rest) yield rest;
  const { stopped } = output;
  const usage = { promptTokens: prompt.length, cachedTokens: keep, completionTokens: history.length - prompt.length };
  yield {
    type: "finish",
    reason: ended || stopped !== undefined ? "stop" : "length",
    ...(stopped !== undefined && { stopString: stopped }),
    usage,
    promptMs: promptMs ?? 0,
    generateMs: performance.now() - started - (promptMs ?? 0),
  };
}

type RunReply = Extract<CallReply, { type: "begun" | "token" | "end" }>;

/** What the leader says of one request. Leaving the loop cancels it and waits until its slot is free of it. */
async function* replies(run: Run, context: GenerateContext): AsyncGenerator<RunReply> {
  const { signal } = run;
  const channel = createChannel<RunReply>();
  const call = context.threads.open((reply) => {
    if (reply.type === "error") channel.fail(reply.error);
    else if (reply.type === "begun" || reply.type === "token" || reply.type === "end") channel.push(reply);
    if (reply.type !== "end") return;
    run.computed = reply.computed;
    channel.end();
  });
  const onAbort = (): void => channel.fail(signal && abortError(signal));
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    call.send(commandOf(run, context));
    yield* channel;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    await call.close();
  }
}

function commandOf(
  { request, prompt, adapters, slot, keep }: Run,
  { contextTokens, defaults }: GenerateContext,
): Omit<GenerateCommand, "id"> {
  const set = Object.entries(request.sampling).filter(([, value]) => value !== undefined);
  return {
    type: "generate",
    slot,
    keep,
    prompt,
    most: Math.min(request.maxTokens ?? Infinity, contextTokens - prompt.length),
    sampling: { ...defaults, ...Object.fromEntries(set) },
    topLogprobs: request.topLogprobs,
    ignoreEos: request.ignoreEos ?? false,
    format: request.format,
    adapters,
  };
}
