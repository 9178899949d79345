// What the page does with a model: open it from a file, and answer a conversation.
import { createOutputParser } from "../../src/chat/output/parser.ts";
import type { OutputEvent } from "../../src/chat/output/event.ts";
import { detectReasoning } from "../../src/chat/output/reasoning.ts";
import { answerRoom, cutTokens, fitMessages } from "../../src/chat/overflow.ts";
import { renderChat } from "../../src/chat/render.ts";
import type { RenderedPrompt } from "../../src/chat/render.ts";
import { loadInBrowser } from "../../src/engines/flint/browser.ts";
import { HearthError } from "../../src/error.ts";
import { readGgufBlob } from "../../src/formats/gguf/header.ts";
import { describeGguf } from "../../src/models/describe.ts";
import type { LoadedModel } from "../../src/spec/engine.ts";
import type { GenerateEvent } from "../../src/spec/event.ts";
import type { Message } from "../../src/spec/message.ts";
import type { ModelInfo, Progress } from "../../src/spec/model.ts";

export interface OpenModel {
  readonly info: ModelInfo;
  readonly loaded: LoadedModel;
}

export interface OpenOptions {
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
}

/** Reads the header of a GGUF file, checks it, and loads the weights into the threads of this page. */
export async function openModel(file: File, { onProgress, signal }: OpenOptions): Promise<OpenModel> {
  const info = describeGguf(await readGgufBlob(file, { name: file.name, signal }));
  if (!info.capabilities.includes("generate")) {
    throw new HearthError("unsupported_capability", `${file.name} makes vectors, not text.`, {
      hint: "Choose a language model.",
    });
  }
  const loaded = await loadInBrowser({ name: file.name, file, info }, {}, { signal, onProgress });
  return { info, loaded };
}

export interface AnswerOptions {
  readonly messages: readonly Message[];
  readonly temperature: number;
  readonly signal: AbortSignal;
}

type Finish = Extract<GenerateEvent, { type: "finish" }>;

/** The pieces of the answer, the model's thoughts apart, and in the end how it went. */
export async function* answer(
  { info, loaded }: OpenModel,
  { messages, temperature, signal }: AnswerOptions,
): AsyncGenerator<OutputEvent | Finish> {
  const rendered = renderChat({ info, messages: await fitting({ info, loaded }, messages) });
  const parser = createOutputParser({
    format: rendered.format,
    reasoning: info.capabilities.includes("thinking")
      ? { tags: detectReasoning(rendered.template), inside: rendered.inside }
      : undefined,
  });
  const request = { prompt: rendered.parts, sampling: { temperature }, stop: rendered.stops };
  for await (const event of loaded.generate?.(request, { signal }) ?? []) {
    if (event.type === "token-delta") yield* parser.push(event.text);
    if (event.type !== "finish") continue;
    yield* parser.end();
    yield event;
  }
}

/** The conversation without its oldest turns, where all of it does not fit. */
async function fitting({ info, loaded }: OpenModel, messages: readonly Message[]): Promise<readonly Message[]> {
  const { contextTokens } = loaded;
  const draw = (kept: readonly Message[]): RenderedPrompt => renderChat({ info, messages: kept });
  const policy = "truncate-oldest";
  const fitted = await fitMessages({
    messages,
    policy,
    contextTokens,
    budget: contextTokens - answerRoom(contextTokens, undefined),
    count: async (kept) => (await loaded.tokenize(draw(kept).parts)).length,
    async cut(text, dropTokens) {
      const tokens = await loaded.tokenize([{ text, special: false }]);
      return loaded.detokenize(cutTokens(tokens, { policy, budget: Math.max(1, tokens.length - dropTokens) }));
    },
  });
  return fitted.messages;
}
