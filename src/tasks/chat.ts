import { chooseTools, forcedFormat } from "../chat/choice.ts";
import { createOutputParser } from "../chat/output/parser.ts";
import type { OutputParser } from "../chat/output/parser.ts";
import { detectReasoning } from "../chat/output/reasoning.ts";
import { answerRoom, cutTokens, fitMessages } from "../chat/overflow.ts";
import type { FitResult } from "../chat/overflow.ts";
import { renderChat } from "../chat/render.ts";
import type { ChatPrompt, RenderedPrompt } from "../chat/render.ts";
import { HearthError } from "../error.ts";
import type { Lease, Runtime } from "../runtime/contract.ts";
import type { GenerateRequest } from "../spec/engine.ts";
import type { ChatEvent } from "../spec/event.ts";
import type { Message } from "../spec/message.ts";
import type { ChatRequest } from "../spec/task.ts";
import { need, unable } from "./capability.ts";
import { checkGeneration, checkLength, checkSupported, refuse } from "./check.ts";
import { withDefaults } from "./defaults.ts";
import type { EffectiveOptions } from "./defaults.ts";
import { generate } from "./generate.ts";
import { acquire } from "./lease.ts";
import { stoppable } from "./stream.ts";

/**
 * Answers a conversation. The first event is `start`; what is thrown before it is a refusal. Stopping to read, or
 * aborting the signal, stops the engine within one step.
 */
export function chat(runtime: Runtime, request: ChatRequest): AsyncIterable<ChatEvent> {
  return stoppable(request.signal, (signal) => run(runtime, request, signal));
}

async function* run(runtime: Runtime, request: ChatRequest, signal: AbortSignal): AsyncGenerator<ChatEvent> {
  const startedAt = performance.now();
  checkGeneration(request);
  checkMessages(request.messages);
  const chosen = chooseTools(request.tools, request.toolChoice);
  const lease = await acquire(runtime, request, signal);
  try {
    need(lease, "generate");
    checkAbilities(lease, request);
    const options = withDefaults(request, lease.model.overrides);
    checkSupported(options.sampling, lease.loaded);
    const forced = chosen.forced !== undefined;
    const constrained = forced || (request.format !== undefined && request.format.type !== "text");
    const draw = (messages: readonly Message[]): RenderedPrompt =>
      renderChat(promptOf(request, lease, { messages, tools: chosen.tools, forceCall: forced, constrained }));
    const fitted = await fit({ request, lease, draw, signal, options });
    const rendered = draw(fitted.messages);
    yield* generate({
      lease,
      signal,
      startedAt,
      n: request.n ?? 1,
      promptLogprobs: request.promptLogprobs,
      receipt: fitted.receipt,
      request: engineRequest(request, rendered, {
        ...options,
        format: chosen.forced ? forcedFormat(chosen.forced, rendered.format) : request.format,
      }),
      createParser: () => parserOf(lease, rendered, { tools: chosen.tools, forced, constrained }),
    });
  } finally {
    lease.release();
  }
}

/** Pictures of one request: as many as a request for a long document has, and bytes that a phone's photos take. */
const mostPictures = 64;
const mostPictureBytes = 20 * 1024 ** 2;

function checkPictures(messages: readonly Message[]): void {
  let count = 0;
  for (const { role, content } of messages) {
    for (const part of typeof content === "string" ? [] : content) {
      if (part.type !== "image") continue;
      if (role === "assistant") throw refuse("messages", "has a picture in an answer", "Models here answer with text.");
      if (++count > mostPictures) throw refuse("messages", `has more than ${mostPictures} pictures`);
      const { length } = part.data;
      if (length > mostPictureBytes) {
        throw refuse(
          "messages",
          `has a picture of ${length} bytes; ${mostPictureBytes} are the most`,
          "Make it smaller.",
        );
      }
    }
  }
}

function checkMessages(messages: readonly Message[]): void {
  if (messages.length === 0) throw refuse("messages", "is empty", "Send at least one message.");
  if (messages.length > 100_000) throw refuse("messages", `has ${messages.length} entries; 100000 are the most`);
  let length = 0;
  for (const { content } of messages) {
    length +=
      typeof content === "string"
        ? content.length
        : content.reduce((sum, part) => sum + (part.type === "text" ? part.text.length : 0), 0);
  }
  checkLength("messages", length);
  checkPictures(messages);
}

/** Refuses what the model cannot do before anything is rendered. */
function checkAbilities({ model, info, loaded }: Lease, request: ChatRequest): void {
  const can = info.capabilities;
  const media = new Set(request.messages.flatMap(({ content }) => typesOf(content)));
  if (media.has("audio")) throw unable(model.name, "transcribe", can);
  if (media.has("image")) checkVision(model.name, { can, loaded, request });
  const { think, format, toolChoice = "auto" } = request;
  if (think === undefined || think === false || request.template !== undefined) return;
  if (!can.includes("thinking")) throw unable(model.name, "thinking", can, "Leave `think` out.");
  const free = format === undefined || format.type === "text";
  if (free && (toolChoice === "auto" || toolChoice === "none")) return;
  const other = free ? "a required tool call" : "an output format";
  throw new HearthError("unsupported_option", `\`think\` and ${other} cannot be had together.`, {
    hint: "Leave `think` out or set it to false: the grammar leaves no room for thoughts.",
    details: { option: "think", engine: "chat" },
  });
}

function typesOf(content: Message["content"]): readonly string[] {
  return typeof content === "string" ? [] : content.map(({ type }) => type);
}

interface Seeing {
  readonly can: Lease["info"]["capabilities"];
  readonly loaded: Lease["loaded"];
  readonly request: ChatRequest;
}

function checkVision(model: string, { can, loaded, request }: Seeing): void {
  if (!loaded.capabilities.includes("vision")) {
    const hint = can.includes("vision")
      ? loaded.engine === "flint"
        ? "Its projector is not one that flint runs: what was said when it was loaded tells why."
        : `It runs on ${loaded.engine}, which takes text alone: load it with --engine flint.`
      : "Send text alone, or choose a model that sees: a GGUF model with its projector (mmproj) beside it.";
    throw unable(model, "vision", loaded.capabilities, hint);
  }
  if (request.promptLogprobs === undefined) return;
  throw new HearthError(
    "unsupported_option",
    "Prompts with pictures have no logprobs: rows of pictures are no tokens.",
    {
      hint: "Leave the logprobs of the prompt out.",
      details: { option: "promptLogprobs", engine: loaded.engine },
    },
  );
}

interface Drawing {
  readonly messages: readonly Message[];
  readonly tools: NonNullable<ChatRequest["tools"]>;
  readonly forceCall: boolean;
  /** A grammar rules the answer, so it cannot begin with thoughts. */
  readonly constrained: boolean;
}

function promptOf(request: ChatRequest, { model, info }: Lease, drawing: Drawing): ChatPrompt {
  const { messages, tools, forceCall, constrained } = drawing;
  const system = model.overrides?.system;
  const own = system === undefined || system === "" || messages.some(({ role }) => role === "system");
  return {
    info,
    overrides: model.overrides,
    messages: own ? messages : [{ role: "system", content: system }, ...messages],
    tools,
    forceCall,
    answerNow: constrained,
    think: constrained && info.capabilities.includes("thinking") ? false : request.think,
    variables: request.templateVariables,
    template: request.template,
  };
}

interface Fitting {
  readonly request: ChatRequest;
  readonly lease: Lease;
  readonly draw: (messages: readonly Message[]) => RenderedPrompt;
  readonly signal: AbortSignal;
  readonly options: EffectiveOptions;
}

async function fit({ request, lease, draw, signal, options }: Fitting): Promise<FitResult> {
  const { messages, overflow: policy = "error" } = request;
  // The engine refuses a prompt that is too long; counting here as well would cost time for nothing.
  if (policy === "error") return { messages };
  const { loaded } = lease;
  const { contextTokens } = loaded;
  return await fitMessages({
    messages,
    policy,
    contextTokens,
    budget: contextTokens - answerRoom(contextTokens, options.maxTokens),
    count: async (kept) => (await loaded.tokenize(draw(kept).parts, { signal })).length,
    cut: async (text, dropTokens) => {
      const tokens = await loaded.tokenize([{ text, special: false }], { signal });
      if (dropTokens >= tokens.length) return "";
      return await loaded.detokenize(cutTokens(tokens, { policy, budget: tokens.length - dropTokens }), { signal });
    },
  });
}

interface EngineOptions extends EffectiveOptions {
  readonly format: ChatRequest["format"] | undefined;
}

function engineRequest(
  request: ChatRequest,
  rendered: RenderedPrompt,
  { sampling, stop, maxTokens, format }: EngineOptions,
): GenerateRequest {
  const { topLogprobs, ignoreEos, adapters, tenant, priority } = request;
  const stops = [...stop, ...rendered.stops];
  return {
    prompt: rendered.parts,
    sampling,
    ...(maxTokens !== undefined && { maxTokens }),
    ...(stops.length > 0 && { stop: stops }),
    ...(format && format.type !== "text" && { format }),
    ...(topLogprobs !== undefined && { topLogprobs }),
    ...(ignoreEos !== undefined && { ignoreEos }),
    ...(adapters && { adapters }),
    ...(tenant !== undefined && { tenant }),
    ...(priority && { priority }),
  };
}

function parserOf(
  { info }: Lease,
  rendered: RenderedPrompt,
  {
    tools,
    forced,
    constrained,
  }: { readonly tools: Drawing["tools"]; readonly forced: boolean; readonly constrained: boolean },
): OutputParser {
  const thinks = !constrained && (info.capabilities.includes("thinking") || rendered.inside !== undefined);
  return createOutputParser({
    format: rendered.format,
    forced,
    ...(thinks && { reasoning: { tags: detectReasoning(rendered.template), inside: rendered.inside } }),
    ...(tools.length > 0 && { tools }),
  });
}
