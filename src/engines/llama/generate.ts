import type { LlamaContextSequence, SequenceEvaluateOptions, Token } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import type { GenerateRequest } from "../../spec/engine.ts";
import type { GenerateEvent } from "../../spec/event.ts";
import type { Sampling } from "../../spec/sampling.ts";
import { abortError } from "../../util/abort.ts";
import type { SlotLease, Slots } from "../../util/slots.ts";
import type { Backend } from "./backend.ts";
import type { Formats, PreparedFormat } from "./format.ts";
import type { GrammarGuard, GrammarWatch } from "./guard.ts";
import { createOutput } from "./output.ts";
import type { LlamaModel } from "node-llama-cpp";
import { toSamplerOptions } from "./sampling.ts";
import { generateSteps } from "./steps.ts";
import type { ModelText } from "./text.ts";
import { tooLong } from "./text.ts";

/** What all generations of one loaded model share. */
export interface GenerateContext {
  readonly backend: Backend;
  readonly model: LlamaModel;
  readonly text: ModelText;
  /** One for each slot. */
  readonly sequences: readonly LlamaContextSequence[];
  readonly slots: Slots;
  readonly formats: Formats;
  readonly guard: GrammarGuard;
  readonly defaults: Sampling;
  readonly contextTokens: number;
  readonly batchTokens: number;
}

export async function* generate(
  request: GenerateRequest,
  context: GenerateContext,
  signal: AbortSignal | undefined,
): AsyncGenerator<GenerateEvent> {
  const { slots, sequences, contextTokens } = context;
  if (request.adapters) throw refuseAdapters();
  const prompt = context.text.promptTokens(request.prompt);
  // The last place is for the answer: a prompt that fills the context leaves none.
  if (prompt.length >= contextTokens) throw tooLong(prompt.length, contextTokens);
  const format = await context.formats.prepare(request.format);
  const lease = await acquire(slots, request, prompt, signal);
  const sequence = sequences[lease.index];
  if (!sequence) throw new Error(`There is no sequence ${lease.index}.`);
  const watch = format ? context.guard.watch() : undefined;
  try {
    yield* run({ request, prompt, format, lease, sequence, signal, watch }, context);
  } finally {
    watch?.stop();
    lease.release(sequence.contextTokens);
  }
}

/** A context of llama.cpp has its adapters for all sequences. */
function refuseAdapters(): HearthError {
  return new HearthError("unsupported_option", "llama.cpp uses the adapters that the model was loaded with.", {
    hint: "Leave `adapters` out of the request, or load the model with the flint engine.",
    details: { option: "adapters", engine: "llama" },
  });
}

async function acquire(
  slots: Slots,
  { tenant }: GenerateRequest,
  prompt: readonly Token[],
  signal: AbortSignal | undefined,
): Promise<SlotLease> {
  try {
    return await slots.acquire(tenant, prompt, signal);
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : error;
  }
}

interface Run {
  readonly request: GenerateRequest;
  readonly prompt: readonly Token[];
  readonly format: PreparedFormat | undefined;
  readonly lease: SlotLease;
  readonly sequence: LlamaContextSequence;
  readonly signal: AbortSignal | undefined;
  readonly watch: GrammarWatch | undefined;
}

async function* run(job: Run, context: GenerateContext): AsyncGenerator<GenerateEvent> {
  const { request, prompt, format, sequence, signal } = job;
  const history: Token[] = [...prompt];
  const options = evaluateOptions(job, context, history);
  yield { type: "prompt-start", promptTokens: prompt.length };
  const started = performance.now();
  const cachedTokens = await reuseCache(job);
  const last = await evaluateStart(job, context.batchTokens);
  const output = createOutput({
    model: context.model,
    prompt,
    stop: request.stop ?? [],
    json: format?.isJson ?? false,
    most: Math.min(request.maxTokens ?? Infinity, context.contextTokens - prompt.length),
  });
  let promptMs: number | undefined;
  const promptEnd = (): GenerateEvent => {
    promptMs = performance.now() - started;
    return { type: "prompt-end", promptTokens: prompt.length, cachedTokens, promptMs };
  };
  if (!output.over) {
    const steps = generateSteps({
      model: context.model,
      sequence,
      tokens: last,
      options,
      topLogprobs: request.topLogprobs,
      history,
      watch: job.watch,
    });
    for await (const step of steps) {
      if (signal?.aborted) throw abortError(signal);
      if (promptMs === undefined) yield promptEnd();
      history.push(step.token);
      yield output.take(step);
      if (output.over) break;
      if (signal?.aborted) throw abortError(signal);
    }
  }
  // A model may end before its first token.
  if (promptMs === undefined) yield promptEnd();
  const rest = output.flush();
  if (rest) yield rest;
  const completionTokens = history.length - prompt.length;
  yield {
    type: "finish",
    reason: output.over?.reason ?? "stop",
    ...(output.over?.stop !== undefined && { stopString: output.over.stop }),
    usage: { promptTokens: prompt.length, cachedTokens, completionTokens },
    promptMs: promptMs ?? 0,
    generateMs: performance.now() - started - (promptMs ?? 0),
  };
}

/**
 * Keeps the part of the sequence's cache that is the tenant's own and begins the prompt; drops the rest. A request with
 * a seed starts from nothing: what was computed in other batches differs in the last bits, and the same seed shall give
 * the same bytes.
 */
async function reuseCache({ request, prompt, lease, sequence }: Run): Promise<number> {
  const keep = request.sampling.seed === undefined ? lease.cachedTokens : 0;
  if (keep === 0) await sequence.clearHistory();
  else await sequence.adaptStateToTokens(prompt.slice(0, keep), false);
  return sequence.nextTokenIndex;
}

/** Evaluates all of the prompt but its last batch, one batch at a time, so that an abort is seen. */
async function evaluateStart({ prompt, sequence, signal }: Run, batchTokens: number): Promise<readonly Token[]> {
  const tokens = prompt.slice(sequence.nextTokenIndex);
  let at = 0;
  const evaluate = async (end: number): Promise<void> => {
    await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(at, end));
    at = end;
    if (signal?.aborted) throw abortError(signal);
  };
  while (tokens.length - at > batchTokens) await evaluate(at + batchTokens);
  // Recurrent models cannot go back in their state: the next prompt can only continue from a checkpoint.
  if (sequence.needsCheckpoints && tokens.length - at > 1) {
    await evaluate(tokens.length - 1);
    await sequence.takeCheckpoint();
  }
  return tokens.slice(at);
}

function evaluateOptions(job: Run, context: GenerateContext, history: readonly Token[]): SequenceEvaluateOptions {
  const { request, format } = job;
  const { backend, model, defaults, text, contextTokens } = context;
  const sampler = toSamplerOptions(request.sampling, {
    library: backend.library,
    model,
    defaults,
    vocabularySize: text.vocabularySize,
    contextTokens,
    history,
  });
  return {
    ...sampler,
    // A grammar that is complete allows nothing but the end.
    yieldEogToken: (request.ignoreEos ?? false) && !format,
    ...(format && {
      grammarEvaluationState: new backend.library.LlamaGrammarEvaluationState({ model, grammar: format.grammar }),
    }),
  };
}
