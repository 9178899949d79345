/** The events of one answer. */
import type { GenerateRequest } from "../../../spec/engine.ts";
import type { GenerateEvent, LogprobEntry, TokenText } from "../../../spec/event.ts";
import type { ImageInput } from "../../../spec/media.ts";
import type { Sampling } from "../../../spec/sampling.ts";
import { HearthError } from "../../../error.ts";
import { abortError } from "../../../util/abort.ts";
import type { Slots } from "../../../util/slots.ts";
import type { Formats } from "../../flint/sampling/format.ts";
import type { GrammarMask } from "../../flint/sampling/grammar/mask.ts";
import type { SampledToken, Sampler } from "../../flint/sampling/sampler.ts";
import { createSampler } from "../../flint/sampling/sampler.ts";
import { createTextStream } from "../../flint/sampling/stop.ts";
import type { Tokenizer } from "../../flint/tokenizer/contract.ts";
import type { Turns } from "../turns.ts";
import type { Past } from "./decoder.ts";
import type { Beginning, Language, Turn } from "./language.ts";
import type { EncodePicture } from "./pictures.ts";
import type { Prompt } from "./prompt.ts";
import { tooLong } from "./prompt.ts";
import type { ModelText } from "./text.ts";

/** What all answers of one loaded model share. */
export interface GenerateContext {
  readonly text: ModelText;
  readonly encode: EncodePicture | undefined;
  readonly formats: Formats;
  readonly defaults: Sampling;
  readonly contextTokens: number;
  readonly slots: Slots;
  /** Each step is one: those of several answers come one after the other. */
  readonly turns: Turns;
  /** What each slot has computed last. */
  readonly kept: Map<number, Past>;
  begin(beginning?: Beginning): Language;
}

export async function* generate(
  request: GenerateRequest,
  context: GenerateContext,
  signal: AbortSignal | undefined,
): AsyncGenerator<GenerateEvent> {
  if (signal?.aborted) throw abortError(signal);
  try {
    yield* answer(request, context, signal);
  } catch (error) {
    throw signal?.aborted ? abortError(signal) : error;
  }
}

/** What can be refused is refused before anybody waits. */
async function* answer(
  request: GenerateRequest,
  context: GenerateContext,
  signal: AbortSignal | undefined,
): AsyncGenerator<GenerateEvent> {
  const { text, encode, contextTokens, turns, slots, kept } = context;
  const mask = context.formats.open(request.format);
  const turn: Turn = async (work) => await turns(work, signal);
  const started = performance.now();
  const look = encode && (async (image: ImageInput) => await turn(() => encode(image, request.tenant)));
  const prompt = await text.prompt(request.prompt, { encode: look, most: contextTokens });
  if (prompt.tokens.length >= contextTokens) throw tooLong(prompt.tokens.length, contextTokens);
  const choose = createChoice({ request, prompt, mask, context });
  const { tenant, priority } = request;
  const lease = await slots.acquire({ tenant, priority, tokens: prompt.names }, signal);
  const past = kept.get(lease.index);
  const language = context.begin(past && { past, tokens: Math.min(past.length, lease.cachedTokens) });
  // Nobody else may go on from here while it grows.
  kept.delete(lease.index);
  const chosen: number[] = [];
  try {
    yield* write({ request, prompt, choose, language, turn, started, chosen }, context);
  } finally {
    kept.set(lease.index, language.past);
    lease.release([...prompt.names, ...chosen].slice(0, language.past.length));
  }
}

interface Writing {
  readonly request: GenerateRequest;
  readonly prompt: Prompt;
  readonly choose: (row: Float32Array) => SampledToken | undefined;
  readonly language: Language;
  readonly turn: Turn;
  readonly started: number;
  /** Takes the tokens of the answer. */
  readonly chosen: number[];
}

async function* write(
  { request, prompt, choose, language, turn, started, chosen }: Writing,
  { text, contextTokens }: GenerateContext,
): AsyncGenerator<GenerateEvent> {
  const promptTokens = prompt.tokens.length;
  const { cachedTokens } = language;
  yield { type: "prompt-start", promptTokens };
  let logits = await language.read(prompt, turn);
  const promptMs = performance.now() - started;
  yield { type: "prompt-end", promptTokens, cachedTokens, promptMs };
  const output = createTextStream(request.stop ?? []);
  const most = Math.min(request.maxTokens ?? Infinity, contextTokens - promptTokens);
  let ended = false;
  let stopString: string | undefined;
  while (chosen.length < most && stopString === undefined) {
    const choice = choose(logits);
    ended = choice === undefined;
    if (!choice) break;
    chosen.push(choice.token);
    const step = output.push(bytesOf(choice.token, text.tokenizer));
    stopString = step.stop;
    yield { type: "token-delta", text: step.text, tokens: [choice.token], ...logprobsOf(choice, request, text) };
    if (chosen.length < most && stopString === undefined) logits = await language.next(choice.token, turn);
  }
  const rest = stopString === undefined ? output.flush() : { text: "" };
  if (rest.text !== "") yield { type: "token-delta", text: rest.text, tokens: [] };
  stopString ??= rest.stop;
  yield {
    type: "finish",
    reason: ended || stopString !== undefined ? "stop" : "length",
    ...(stopString !== undefined && { stopString }),
    usage: { promptTokens, cachedTokens, completionTokens: chosen.length },
    promptMs,
    generateMs: performance.now() - started - promptMs,
  };
}

interface ChoiceOptions {
  readonly request: GenerateRequest;
  readonly prompt: Prompt;
  readonly mask: GrammarMask | undefined;
  readonly context: GenerateContext;
}

/** From a row of logits to the next token; undefined: the answer ends. */
function createChoice({
  request,
  prompt,
  mask,
  context,
}: ChoiceOptions): (row: Float32Array) => SampledToken | undefined {
  const { tokenizer } = context.text;
  const { size, endTokens } = tokenizer;
  const set = Object.entries(request.sampling).filter(([, value]) => value !== undefined);
  const sampler: Sampler = createSampler({
    sampling: { ...context.defaults, ...Object.fromEntries(set) },
    vocabularySize: size,
    bytesOf: (token) => tokenizer.tokenBytes(token),
    prompt: prompt.names.filter((name) => name >= 0),
    topLogprobs: request.topLogprobs,
  });
  const allowed = mask && new Uint32Array(Math.ceil(size / 32));
  return (row) => {
    if (row.length < size) {
      throw new HearthError("model_malformed", `The model knows ${row.length} tokens, its tokenizer ${size}.`);
    }
    if (allowed) mask.fill(allowed);
    // Models are padded to round sizes; what is behind the vocabulary is no token.
    const choice = sampler.sample(row.subarray(0, size), allowed);
    if (endTokens.has(choice.token) && (request.ignoreEos !== true || mask)) return undefined;
    sampler.accept(choice.token);
    mask?.accept(choice.token);
    return choice;
  };
}

function bytesOf(token: number, tokenizer: Tokenizer): Uint8Array | undefined {
  return tokenizer.endTokens.has(token) ? undefined : tokenizer.tokenBytes(token);
}

function logprobsOf(
  { token, logprob = 0, top = [] }: SampledToken,
  { topLogprobs }: GenerateRequest,
  { tokenizer }: ModelText,
): { readonly logprobs?: readonly LogprobEntry[] } {
  if (topLogprobs === undefined) return {};
  const describe = (one: number): TokenText => {
    const bytes = tokenizer.tokenBytes(one);
    return { token: one, text: new TextDecoder().decode(bytes), bytes: [...bytes] };
  };
  const others = top.map((one) => ({ ...describe(one.token), logprob: one.logprob }));
  return { logprobs: [{ ...describe(token), logprob, top: others }] };
}
