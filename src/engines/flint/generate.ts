/** Generations of one loaded model: the leader computes, tokens become events. */
import type { GenerateRequest } from "../../spec/engine.ts";
import type { GenerateEvent } from "../../spec/event.ts";
import type { Sampling } from "../../spec/sampling.ts";
import { abortError } from "../../util/abort.ts";
import { createChannel } from "../../util/channel.ts";
import type { LoadedAdapter } from "./adapters/choose.ts";
import { cacheRoot, chooseAdapters } from "./adapters/choose.ts";
import { createOutput } from "./output.ts";
import type { PictureEncoder } from "./pictures/encoder.ts";
import type { NamedPrompt } from "./pictures/prompt.ts";
import { readPrompt } from "./pictures/prompt.ts";
import type { ModelText } from "./text.ts";
import { tooLong } from "./text.ts";
import type { CallReply, FlintThreads } from "./threads/pool.ts";
import type { GenerateCommand } from "./threads/protocol.ts";

/** What all generations of one loaded model share. */
export interface GenerateContext {
  readonly threads: FlintThreads;
  readonly text: ModelText;
  /** Absent: the model sees no pictures. */
  readonly encoder?: PictureEncoder | undefined;
  readonly defaults: Sampling;
  readonly contextTokens: number;
  readonly adapters: readonly LoadedAdapter[];
}

export async function* generate(
  request: GenerateRequest,
  context: GenerateContext,
  signal: AbortSignal | undefined,
): AsyncGenerator<GenerateEvent> {
  const { contextTokens } = context;
  if (signal?.aborted) throw abortError(signal);
  const { text, encoder } = context;
  // Pictures are encoded in threads of their own before the sequence takes part in the steps: those of others go on.
  const options = { tenant: request.tenant, signal, most: contextTokens };
  const reading = readPrompt(request.prompt, { text, encoder }, options);
  // Text alone is read at once: a model with a request must not fall asleep before it is sent.
  const prompt = reading instanceof Promise ? await reading : reading;
  // The last place is for the answer: a prompt that fills the context leaves none.
  if (prompt.names.length >= contextTokens) throw tooLong(prompt.names.length, contextTokens);
  yield* runGeneration({ request, prompt, adapters: chooseAdapters(request, context.adapters), signal }, context);
}

interface Run {
  readonly request: GenerateRequest;
  readonly prompt: NamedPrompt;
  readonly adapters: readonly number[] | undefined;
  readonly signal: AbortSignal | undefined;
}

async function* runGeneration(run: Run, context: GenerateContext): AsyncGenerator<GenerateEvent> {
  const { request, prompt, signal } = run;
  const started = performance.now();
  const output = createOutput({
    tokenizer: context.text.tokenizer,
    stop: request.stop ?? [],
    topLogprobs: request.topLogprobs,
  });
  const promptTokens = prompt.names.length;
  let [promptMs, cachedTokens, completionTokens] = [0, 0, 0];
  let ended = false;
  for await (const reply of replies(run, context)) {
    if (signal?.aborted) throw abortError(signal);
    switch (reply.type) {
      case "begun":
        yield { type: "prompt-start", promptTokens };
        break;
      case "prompted":
        promptMs = performance.now() - started;
        ({ cachedTokens } = reply);
        yield { type: "prompt-end", promptTokens, cachedTokens, promptMs };
        break;
      case "token":
        completionTokens++;
        yield output.take(reply.choice);
        break;
      case "end":
        ({ ended } = reply);
    }
    if (output.stopped !== undefined) break;
  }
  const rest = output.flush();
  if (rest) yield rest;
  const { stopped } = output;
  const usage = { promptTokens, cachedTokens, completionTokens };
  yield {
    type: "finish",
    reason: ended || stopped !== undefined ? "stop" : "length",
    ...(stopped !== undefined && { stopString: stopped }),
    usage,
    promptMs,
    generateMs: performance.now() - started - promptMs,
  };
}

type RunReply = Extract<CallReply, { type: "begun" | "prompted" | "token" | "end" }>;

/** What the leader says of one request. Leaving the loop cancels it and waits until it has let go of it. */
async function* replies(run: Run, context: GenerateContext): AsyncGenerator<RunReply> {
  const { signal } = run;
  const channel = createChannel<RunReply>();
  const call = context.threads.open((reply) => {
    if (reply.type === "error") channel.fail(reply.error);
    else if (isRunReply(reply)) channel.push(reply);
    if (reply.type === "end") channel.end();
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

function isRunReply(reply: CallReply): reply is RunReply {
  return reply.type === "begun" || reply.type === "prompted" || reply.type === "token" || reply.type === "end";
}

function commandOf(
  { request, prompt, adapters }: Run,
  { contextTokens, defaults, adapters: loaded }: GenerateContext,
): Omit<GenerateCommand, "id"> {
  const set = Object.entries(request.sampling).filter(([, value]) => value !== undefined);
  return {
    type: "generate",
    root: cacheRoot(request.tenant, scaled(loaded, adapters)),
    priority: request.priority ?? "interactive",
    prompt: prompt.names,
    ...(prompt.pictures.length > 0 && { pictures: prompt.pictures }),
    most: Math.min(request.maxTokens ?? Infinity, contextTokens - prompt.names.length),
    sampling: { ...defaults, ...Object.fromEntries(set) },
    topLogprobs: request.topLogprobs,
    ignoreEos: request.ignoreEos ?? false,
    format: request.format,
    adapters,
  };
}

function scaled(loaded: readonly LoadedAdapter[], scales: readonly number[] | undefined): readonly LoadedAdapter[] {
  return loaded.map(({ path, scale }, index) => ({ path, scale: scales?.[index] ?? scale }));
}
