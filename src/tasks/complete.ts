import { answerRoom, cutTokens, tooLong } from "../chat/overflow.ts";
import type { Lease, Runtime } from "../runtime/contract.ts";
import type { PromptText } from "../spec/engine.ts";
import type { ChatEvent } from "../spec/event.ts";
import type { OverflowReceipt } from "../spec/sampling.ts";
import type { CompleteRequest } from "../spec/task.ts";
import { need, unable } from "./capability.ts";
import { checkGeneration, checkLength, checkNumber, checkSupported, refuse } from "./check.ts";
import { withDefaults } from "./defaults.ts";
import { fillTokens } from "./fill.ts";
import { generate } from "./generate.ts";
import { acquire } from "./lease.ts";
import { stoppable } from "./stream.ts";

/** Goes on with a text, or fills a gap when there is a `suffix`. Events as `chat`. */
export function complete(runtime: Runtime, request: CompleteRequest): AsyncIterable<ChatEvent> {
  return stoppable(request.signal, (signal) => run(runtime, request, signal));
}

async function* run(runtime: Runtime, request: CompleteRequest, signal: AbortSignal): AsyncGenerator<ChatEvent> {
  const startedAt = performance.now();
  checkRequest(request);
  const lease = await acquire(runtime, request, signal);
  try {
    need(lease, "generate");
    const options = withDefaults(request, lease.model.overrides);
    checkSupported(options.sampling, lease.loaded);
    const { prompt, receipt } = await fit(request, lease, { signal, maxTokens: options.maxTokens });
    const { format, topLogprobs, ignoreEos, adapters, tenant, priority, n = 1 } = request;
    yield* generate({
      lease,
      signal,
      startedAt,
      n,
      receipt,
      promptLogprobs: request.promptLogprobs,
      echo: request.echo ? await echoOf(request, lease, { prompt, receipt, signal }) : undefined,
      request: {
        prompt,
        sampling: options.sampling,
        ...(options.maxTokens !== undefined && { maxTokens: options.maxTokens }),
        ...(options.stop.length > 0 && { stop: options.stop }),
        ...(format && format.type !== "text" && { format }),
        ...(topLogprobs !== undefined && { topLogprobs }),
        ...(ignoreEos !== undefined && { ignoreEos }),
        ...(adapters && { adapters }),
        ...(tenant !== undefined && { tenant }),
        ...(priority && { priority }),
      },
    });
  } finally {
    lease.release();
  }
}

function checkRequest(request: CompleteRequest): void {
  const { prompt, suffix } = request;
  checkGeneration(request);
  checkLength("prompt", prompt.length);
  checkLength("suffix", suffix?.length ?? 0);
  if (typeof prompt === "string") return;
  if (prompt.length === 0) throw refuse("prompt", "has no tokens");
  for (const token of prompt) checkNumber("prompt", token, { min: 0, max: 2 ** 31 - 1, whole: true });
  if (suffix !== undefined) throw refuse("suffix", "needs a prompt of text, not of tokens");
}

interface Fitting {
  readonly signal: AbortSignal;
  readonly maxTokens: number | undefined;
}

type TextPrompt = readonly PromptText[] | readonly number[];

interface Fitted {
  readonly prompt: TextPrompt;
  readonly receipt?: OverflowReceipt | undefined;
}

async function fit(request: CompleteRequest, lease: Lease, { signal, maxTokens }: Fitting): Promise<Fitted> {
  const { overflow: policy = "error", suffix } = request;
  const { loaded } = lease;
  checkVocabulary(request, lease);
  const prompt = suffix === undefined ? plainPrompt(request) : fillPrompt(request, lease);
  if (policy === "error") return { prompt };
  const tokens = isParts(prompt) ? await loaded.tokenize(prompt, { signal }) : prompt;
  const { contextTokens } = loaded;
  const budget = contextTokens - answerRoom(contextTokens, maxTokens);
  if (tokens.length <= budget) return { prompt };
  // Cutting would take the marks of the gap away.
  if (suffix !== undefined) throw tooLong(tokens.length, contextTokens);
  const begin = await beginLength(tokens, lease, signal);
  const kept = [...tokens.slice(0, begin), ...cutTokens(tokens.slice(begin), { policy, budget: budget - begin })];
  const receipt = {
    policy,
    droppedTokens: tokens.length - kept.length,
    droppedMessages: 0,
    promptTokensBefore: tokens.length,
    promptTokensAfter: kept.length,
  };
  return { prompt: kept, receipt };
}

/** The token that begins every text is never cut away. */
async function beginLength(tokens: readonly number[], { loaded, info }: Lease, signal: AbortSignal): Promise<0 | 1> {
  if (!info.bosToken) return 0;
  const [begin] = await loaded.tokenize([{ text: info.bosToken, special: true }], { signal });
  return begin !== undefined && tokens[0] === begin ? 1 : 0;
}

function checkVocabulary({ prompt }: CompleteRequest, { info, model }: Lease): void {
  if (typeof prompt === "string" || info.vocabularySize === 0) return;
  const wrong = prompt.find((token) => token >= info.vocabularySize);
  if (wrong === undefined) return;
  throw refuse("prompt", `has the token ${wrong}; "${model.name}" has ${info.vocabularySize} tokens`);
}

function plainPrompt({ prompt, special = false }: CompleteRequest): TextPrompt {
  return typeof prompt === "string" ? [{ text: prompt, special }] : prompt;
}

/** The marks of the gap go around the texts; the model answers with what belongs between. */
function fillPrompt({ prompt, suffix = "", special = false }: CompleteRequest, lease: Lease): readonly PromptText[] {
  const { info, model } = lease;
  const marks = info.capabilities.includes("insert") ? fillTokens(info) : undefined;
  if (!marks) throw unable(model.name, "insert", info.capabilities, "Leave the suffix out, or use a code model.");
  const before: PromptText[] = [
    { text: marks.prefix, special: true },
    { text: typeof prompt === "string" ? prompt : "", special },
  ];
  const after: PromptText[] = [
    { text: marks.suffix, special: true },
    { text: suffix, special },
  ];
  const parts = marks.suffixFirst ? [...after, ...before] : [...before, ...after];
  return marks.middle === undefined ? parts : [...parts, { text: marks.middle, special: true }];
}

interface Echoing extends Fitted {
  readonly signal: AbortSignal;
}

/** Logprobs belong to what is left of a prompt that was cut. */
async function echoOf(request: CompleteRequest, { loaded }: Lease, fitted: Echoing): Promise<string> {
  const { receipt, signal } = fitted;
  const prompt = receipt && request.promptLogprobs !== undefined ? fitted.prompt : request.prompt;
  if (typeof prompt === "string") return prompt;
  return isParts(prompt) ? prompt.map(({ text }) => text).join("") : await loaded.detokenize(prompt, { signal });
}

function isParts(prompt: TextPrompt): prompt is readonly PromptText[] {
  return typeof prompt[0] === "object";
}
