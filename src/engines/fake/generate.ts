import { HearthError } from "../../error.ts";
import type { GenerateRequest, PromptPart } from "../../spec/engine.ts";
import type { GenerateEvent, LogprobEntry } from "../../spec/event.ts";
import { abortError, raceAbort } from "../../util/abort.ts";
import type { Slots } from "../../util/slots.ts";
import { createStopMatcher } from "../../util/stop.ts";
import type { FakeOptions } from "./options.ts";
import { toFormat } from "./sample.ts";
import { fakeDetokenize, fakeTokenize, hashText, internPiece, splitWords } from "./tokens.ts";

export interface FakeContext {
  readonly fake: FakeOptions;
  readonly slots: Slots;
  readonly contextTokens: number;
  readonly onToken: () => void;
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
  const { fake, contextTokens } = context;
  const prompt = isTokens(request.prompt) ? [...request.prompt] : fakeTokenize(request.prompt);
  if (prompt.length >= contextTokens) throw tooLong(prompt.length, contextTokens);
  const pieces = replyPieces(fake, request);
  const lease = await context.slots.acquire(request.tenant, prompt, signal);
  const tokens: number[] = [];
  try {
    yield { type: "prompt-start", promptTokens: prompt.length };
    const started = performance.now();
    await raceAbort(Promise.resolve(fake.beforePrompt?.(request)), signal);
    const promptMs = performance.now() - started;
    const { cachedTokens } = lease;
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
      context.onToken();
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
    lease.release([...prompt, ...tokens]);
  }
}

function replyPieces(fake: FakeOptions, request: GenerateRequest): readonly string[] {
  const parts = isTokens(request.prompt) ? [{ text: fakeDetokenize(request.prompt), special: false }] : request.prompt;
  const all = parts.map(({ text }) => text).join("");
  const plain = parts.map(({ text, special }) => (special ? "" : text)).join("");
  const reply = typeof fake.reply === "function" ? fake.reply(all, request) : (fake.reply ?? (plain || all));
  if (typeof reply !== "string") return reply;
  return request.format ? toFormat(reply, request.format) : splitWords(reply);
}

function isTokens(prompt: GenerateRequest["prompt"]): prompt is readonly number[] {
  return (prompt as readonly (number | PromptPart)[]).every((item) => typeof item === "number");
}

/** The chosen token has half of the probability, the n-th other one 1/2^(n+1). */
function logprobs(piece: string, count: number | undefined): { readonly logprobs?: readonly LogprobEntry[] } {
  if (count === undefined) return {};
  const entry = (text: string, share: number): Omit<LogprobEntry, "top"> => ({
    token: hashText(text),
    text,
    logprob: Math.log(share),
    bytes: [...Buffer.from(text)],
  });
  const top = Array.from({ length: count }, (_, index) =>
    entry(index === 0 ? piece : `${piece}${index}`, 0.5 ** (index + 1)),
  );
  return { logprobs: [{ ...entry(piece, 0.5), top }] };
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
