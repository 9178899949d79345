import type { EvaluationPriority, LlamaContextSequence, SequenceEvaluateOptions, Token } from "node-llama-cpp";
import { HearthError } from "../../error.ts";
import type { GenerateRequest } from "../../spec/engine.ts";
import type { GenerateEvent } from "../../spec/event.ts";
import type { Sampling } from "../../spec/sampling.ts";
import { abortError } from "../../util/abort.ts";
import type { Backend } from "./backend.ts";
import type { Cache, Turn } from "./cache.ts";
import type { Drafter } from "./draft.ts";
import type { Formats, PreparedFormat } from "./format.ts";
import type { GrammarGuard, GrammarWatch } from "./guard.ts";
import type { BatchCosts, Guesser } from "./guess.ts";
import { createGuesser } from "./guess.ts";
import { nextTurn } from "./internals.ts";
import { createOutput } from "./output.ts";
import type { LlamaModel } from "node-llama-cpp";
import type { Reused } from "./reuse.ts";
import { toSamplerOptions } from "./sampling.ts";
import type { LlamaStats } from "./stats.ts";
import { generateSteps } from "./steps.ts";
import type { ModelText } from "./text.ts";
import { tooLong } from "./text.ts";

/** What all generations of one loaded model share. */
export interface GenerateContext {
  readonly backend: Backend;
  readonly model: LlamaModel;
  readonly text: ModelText;
  readonly cache: Cache;
  readonly stats: LlamaStats;
  /** Absent: nothing is guessed. */
  readonly speculation: Speculation | undefined;
  readonly formats: Formats;
  readonly guard: GrammarGuard;
  readonly defaults: Sampling;
  readonly contextTokens: number;
  readonly batchTokens: number;
}

export interface Speculation {
  readonly costs: BatchCosts;
  /** Each sequence has its own. */
  readonly drafter: (sequence: LlamaContextSequence) => Drafter | undefined;
}

export async function* generate(
  request: GenerateRequest,
  context: GenerateContext,
  signal: AbortSignal | undefined,
): AsyncGenerator<GenerateEvent> {
  const { cache, text, contextTokens } = context;
  if (request.adapters) throw refuseAdapters();
  const prompt = text.promptTokens(request.prompt);
  // The last place is for the answer: a prompt that fills the context leaves none.
  if (prompt.length >= contextTokens) throw tooLong(prompt.length, contextTokens);
  const format = await context.formats.prepare(request.format);
  const { tenant, priority } = request;
  const turn = await cache.take({ tenant, priority, prompt }, signal);
  const watch = format ? context.guard.watch() : undefined;
  try {
    yield* run({ request, prompt, format, turn, signal, watch }, context);
  } finally {
    watch?.stop();
    turn.release();
  }
}

/** A context of llama.cpp has its adapters for all sequences. */
export function refuseAdapters(): HearthError {
  return new HearthError("unsupported_option", "llama.cpp uses the adapters that the model was loaded with.", {
    hint: "Leave `adapters` out of the request, or load the model with the flint engine.",
    details: { option: "adapters", engine: "llama" },
  });
}

interface Run {
  readonly request: GenerateRequest;
  readonly prompt: readonly Token[];
  readonly format: PreparedFormat | undefined;
  readonly turn: Turn;
  readonly signal: AbortSignal | undefined;
  readonly watch: GrammarWatch | undefined;
}

async function* run(job: Run, context: GenerateContext): AsyncGenerator<GenerateEvent> {
  const { request, prompt, format, turn, signal } = job;
  const history: Token[] = [...prompt];
  const options = evaluateOptions(job, context, history);
  yield { type: "prompt-start", promptTokens: prompt.length };
  const started = performance.now();
  const reused = await reuseCache(job);
  const cachedTokens = reused.cachedTokens + reused.restoredTokens;
  const last = await evaluateStart(job, context.batchTokens);
  const most = Math.min(request.maxTokens ?? Infinity, context.contextTokens - prompt.length);
  const output = createOutput({
    model: context.model,
    prompt,
    stop: request.stop ?? [],
    json: format?.isJson ?? false,
    most,
  });
  let promptMs: number | undefined;
  const promptEnd = (): GenerateEvent => {
    promptMs = performance.now() - started;
    turn.advance();
    context.stats.prompt({ promptTokens: prompt.length, ...reused });
    return { type: "prompt-end", promptTokens: prompt.length, cachedTokens, promptMs };
  };
  if (!output.over) {
    const steps = generateSteps({
      model: context.model,
      sequence: turn.sequence,
      tokens: last,
      options,
      topLogprobs: request.topLogprobs,
      history,
      watch: job.watch,
      guesser: openGuesser(job, context),
      most,
      onGuess: (guessed, right) => context.stats.guess(guessed, right),
    });
    for await (const step of steps) {
      if (signal?.aborted) throw abortError(signal);
      if (promptMs === undefined) yield promptEnd();
      history.push(step.token);
      context.stats.token();
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
 * A request with a seed starts from nothing: what was computed in other batches differs in the last bits, and the same
 * seed shall give the same bytes.
 */
async function reuseCache({ request, turn }: Run): Promise<Reused> {
  if (request.sampling.seed === undefined) return await turn.reuse();
  await turn.clear();
  return { cachedTokens: 0, restoredTokens: 0 };
}

/** With a seed nothing is guessed, for the same reason: how much is guessed depends on the time that steps take. */
function openGuesser(
  { request, prompt, turn }: Run,
  { speculation, model, text, cache }: GenerateContext,
): Guesser | undefined {
  if (!speculation || request.sampling.seed !== undefined) return undefined;
  const ends = request.ignoreEos ? () => false : (token: Token) => model.isEogToken(token);
  return createGuesser({
    prompt,
    drafter: speculation.drafter(turn.sequence),
    costs: speculation.costs,
    running: () => cache.slots.running,
    // A draft model may know a few more tokens.
    allowed: (token) => token < text.vocabularySize && !ends(token),
  });
}

/** Evaluates all of the prompt but its last batch, one batch at a time, so that an abort is seen. */
async function evaluateStart({ request, prompt, turn, signal }: Run, batchTokens: number): Promise<readonly Token[]> {
  const { sequence } = turn;
  const evaluationPriority = batchPriority(request);
  const tokens = prompt.slice(sequence.nextTokenIndex);
  let at = 0;
  const evaluate = async (end: number): Promise<void> => {
    await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(at, end), { evaluationPriority });
    at = end;
    turn.advance();
    await nextTurn();
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

/** Who comes first where a batch has not room for all: the higher one. */
export function batchPriority({ priority }: Pick<GenerateRequest, "priority">): EvaluationPriority {
  return priority === "batch" ? 1 : 5;
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
    evaluationPriority: batchPriority(request),
    // A grammar that is complete allows nothing but the end.
    yieldEogToken: (request.ignoreEos ?? false) && !format,
    ...(format && {
      grammarEvaluationState: new backend.library.LlamaGrammarEvaluationState({ model, grammar: format.grammar }),
    }),
  };
}
