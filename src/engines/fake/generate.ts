import { HearthError } from "../../error.ts";
import type { GenerateRequest, PromptPart } from "../../spec/engine.ts";
import type { GenerateEvent, LogprobEntry, TokenText } from "../../spec/event.ts";
import { abortError, raceAbort } from "../../util/abort.ts";
import type { Slots } from "../../util/slots.ts";
import { createStopMatcher } from "../../util/stop.ts";
import type { FakeOptions } from "./options.ts";
import type { FakeStats } from "./stats.ts";
import { toFormat } from "./sample.ts";
import { fakeDetokenize, fakeTokenize, hashText, internPiece, splitWords } from "./tokens.ts";

export interface FakeContext {
  readonly fake: FakeOptions;
  readonly slots: Slots;
  readonly contextTokens: number;
  readonly stats: FakeStats;
}

/** The event stream of one request, in the order and with the counts of the contract. */
export async function* generateFake(
  request: GenerateRequest,
  context: FakeContext,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent> {
  try {
    signal.throwIfAborted();
    yield* generate(request, context, signal);
  } catch (error) {
    throw signal.aborted ? abortError(signal) : error;
  }
}

async function* generate(
  request: GenerateRequest,
  context: FakeContext,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent> {
  const { fake, contextTokens, stats } = context;
  const prompt = toTokens(request.prompt);
  if (prompt.length >= contextTokens) throw tooLong(prompt.length, contextTokens);
  const pieces = replyPieces(fake, request);
  const { tenant, priority } = request;
  const lease = await context.slots.acquire({ tenant, priority, tokens: prompt }, signal);
  const tokens: number[] = [];
  try {
    yield { type: "prompt-start", promptTokens: prompt.length };
    const started = performance.now();
    await raceAbort(Promise.resolve(fake.beforePrompt?.(request)), signal);
    const promptMs = performance.now() - started;
    const { cachedTokens } = lease;
    stats.begin({ index: lease.index, promptTokens: prompt.length, cachedTokens });
    yield { type: "prompt-end", promptTokens: prompt.length, cachedTokens, promptMs };
    const stops = createStopMatcher(request.stop ?? []);
    const most = Math.min(request.maxTokens ?? Infinity, contextTokens - prompt.length);
    let reason: "stop" | "length" = "stop";
    let stopString: string | undefined;
    for (let index = 0; ; index++) {
      const piece = request.ignoreEos ? pieces[index % pieces.length] : pieces[index];
      if (piece === undefined) break;
      if (index >= most) {
        reason = "length";
        break;
      }
      await raceAbort(Promise.resolve(fake.beforeToken?.(index, request)), signal);
      const token = internPiece(piece);
      tokens.push(token);
      stats.token(lease.index);
      const step = stops.push(piece);
      yield { type: "token-delta", text: step.text, tokens: [token], ...logprobs(piece, request.topLogprobs) };
      stopString = step.stop;
      if (stopString !== undefined) break;
    }
    const rest = stops.flush();
    if (rest !== "") yield { type: "token-delta", text: rest, tokens: [] };
    yield {
      type: "finish",
      reason,
      ...(stopString !== undefined && { stopString }),
      usage: { promptTokens: prompt.length, cachedTokens, completionTokens: tokens.length },
      promptMs,
      generateMs: performance.now() - started - promptMs,
    };
  } finally {
    stats.end(lease.index, prompt.length + tokens.length);
    lease.release([...prompt, ...tokens]);
  }
}

function replyPieces(fake: FakeOptions, request: GenerateRequest): readonly string[] {
  const parts = isTokens(request.prompt) ? [{ text: fakeDetokenize(request.prompt), special: false }] : request.prompt;
  const texts = parts.map((part) => ("image" in part ? { text: "(picture)", special: true } : part));
  const all = texts.map(({ text }) => text).join("");
  const plain = texts.map(({ text, special }) => (special ? "" : text)).join("");
  const reply = typeof fake.reply === "function" ? fake.reply(all, request) : (fake.reply ?? (plain || all));
  if (typeof reply !== "string") return reply;
  return request.format ? toFormat(reply, request.format) : splitWords(reply);
}

export function toTokens(prompt: GenerateRequest["prompt"]): readonly number[] {
  return isTokens(prompt) ? prompt : fakeTokenize(prompt);
}

function isTokens(prompt: GenerateRequest["prompt"]): prompt is readonly number[] {
  return (prompt as readonly (number | PromptPart)[]).every((item) => typeof item === "number");
}

function logprobs(piece: string, count: number | undefined): { readonly logprobs?: readonly LogprobEntry[] } {
  return count === undefined ? {} : { logprobs: [toEntry({ text: piece, token: hashText(piece) }, count)] };
}

/** Of a token and `count` of the likeliest: it has half of the probability itself, the n-th other one 1/2^(n+1). */
export function toEntry({ text, token }: Pick<TokenText, "text" | "token">, count: number): LogprobEntry {
  const own = { token, text, logprob: Math.log(0.5), bytes: [...Buffer.from(text)] };
  const others = Array.from({ length: Math.max(0, count - 1) }, (_, index) => {
    const other = `${text}${index + 1}`;
    return {
      token: hashText(other),
      text: other,
      logprob: Math.log(0.5 ** (index + 2)),
      bytes: [...Buffer.from(other)],
    };
  });
  return { ...own, top: [own, ...others].slice(0, count) };
}

/** The error of the contract for a prompt that does not fit. */
export function tooLong(promptTokens: number, contextTokens: number, index?: number): HearthError {
  const name = index === undefined ? "The prompt" : `Text ${index}`;
  return new HearthError(
    "context_too_long",
    `${name} has ${promptTokens} tokens; the context holds ${contextTokens}.`,
    { details: { promptTokens, contextTokens, ...(index !== undefined && { index }) } },
  );
}
