/** Bodies → requests of the typed library. */
import { HearthError } from "../../error.ts";
import type { Priority } from "../../spec/engine.ts";
import type { ContentPart, Message, Tool, ToolChoice } from "../../spec/message.ts";
import type { OutputFormat, Sampling } from "../../spec/sampling.ts";
import type { ChatRequest, CompleteRequest, GenerationOptions } from "../../spec/task.ts";
import { badField } from "../shared/body.ts";
import { defined } from "../shared/defined.ts";
import { parseKeepAlive } from "../shared/duration.ts";
import { audioFromBase64, imageFromUrl } from "../shared/media.ts";
import type { ChatBody, CompletionBody, GenerationBody, MessageBody, PartBody } from "./schema.ts";

/** Who asks, how urgently unless the body says so, and the signal that ends the work. */
export interface Caller {
  readonly tenant: string;
  readonly priority?: Priority;
  readonly signal: AbortSignal;
}

export function toChatRequest(body: ChatBody, caller: Caller): ChatRequest {
  if (body.top_logprobs !== undefined && body.logprobs !== true) {
    throw badField("top_logprobs", "is set, but logprobs is not true");
  }
  return {
    ...toGeneration(body, caller, body.max_completion_tokens ?? body.max_tokens),
    ...defined({
      messages: body.messages.map(toMessage),
      tools: toTools(body),
      toolChoice: toToolChoice(body),
      topLogprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : undefined,
      think: toThink(body.reasoning_effort),
      templateVariables: body.chat_template_kwargs,
    }),
  };
}

/** One request per prompt. */
export function toCompleteRequests(body: CompletionBody, caller: Caller): readonly CompleteRequest[] {
  const n = body.n ?? 1;
  if (body.best_of !== undefined && body.best_of !== n) {
    throw badField(
      "best_of",
      `is ${body.best_of} but n is ${n}; hearth returns every completion, so they must be equal`,
    );
  }
  if (toEchoLogprobs(body) !== undefined && body.suffix !== undefined) {
    throw new HearthError(
      "unsupported_option",
      "echo with logprobs and suffix is not supported: the marks of the gap are tokens of the prompt, not of its text.",
      { details: { field: "echo" }, hint: "Leave suffix out, or ask for prompt_logprobs instead." },
    );
  }
  const prompts = toPrompts(body.prompt);
  if (prompts.length * n > 256) {
    throw badField("prompt", `asks for ${prompts.length * n} completions; at most 256 fit in one request`);
  }
  const generation = toGeneration(body, caller, body.max_tokens);
  const echoLogprobs = toEchoLogprobs(body);
  const options = defined({
    suffix: body.suffix,
    echo: body.echo,
    topLogprobs: body.logprobs,
    ...(echoLogprobs !== undefined && { promptLogprobs: Math.max(echoLogprobs, body.prompt_logprobs ?? 0) }),
  });
  return prompts.map((prompt) => ({ ...generation, ...options, prompt }));
}

/** How many alternatives each token of a repeated prompt is shown with; undefined: its logprobs are not asked for. */
export function toEchoLogprobs({ echo, logprobs }: Pick<CompletionBody, "echo" | "logprobs">): number | undefined {
  return echo === true ? logprobs : undefined;
}

function toPrompts(prompt: CompletionBody["prompt"]): readonly (string | readonly number[])[] {
  if (typeof prompt === "string") return [prompt];
  return prompt.every((item) => typeof item === "number") ? [prompt] : prompt;
}

function toGeneration(body: GenerationBody, caller: Caller, limit: number | undefined): GenerationOptions {
  if (body.stream === true && body.prompt_logprobs !== undefined) {
    throw badField("prompt_logprobs", "is not part of a stream", "Ask without stream, or for echo with logprobs.");
  }
  return {
    model: body.model,
    tenant: caller.tenant,
    signal: caller.signal,
    ...defined({
      sampling: toSampling(body),
      maxTokens: limit === -1 ? undefined : limit,
      stop: typeof body.stop === "string" ? [body.stop] : body.stop,
      format: toFormat(body),
      overflow: body.overflow,
      n: body.n,
      ignoreEos: body.ignore_eos,
      promptLogprobs: body.prompt_logprobs,
      adapters: body.lora?.map(({ id, scale }) => ({ adapter: id, ...defined({ scale }) })),
      priority: toPriority(body, caller.priority),
      keepAliveMs: body.keep_alive === undefined ? undefined : parseKeepAlive(body.keep_alive),
    }),
  };
}

/** OpenAI's `flex` and vLLM's `priority` above 0 are batch work. `auto` and 0, the defaults there, say nothing. */
export function toPriority(body: GenerationBody, otherwise: Priority | undefined): Priority | undefined {
  const { service_tier: tier = "auto", priority: number = 0 } = body;
  const byTier = tier === "auto" ? undefined : tier === "flex" ? "batch" : "interactive";
  const byNumber = number === 0 ? undefined : number > 0 ? "batch" : "interactive";
  if (byTier && byNumber && byTier !== byNumber) {
    throw badField("priority", `is ${number}, which is ${byNumber} work, but service_tier is "${tier}"`);
  }
  return byTier ?? byNumber ?? otherwise;
}

function toSampling(body: GenerationBody): Sampling {
  return defined({
    temperature: body.temperature,
    topP: body.top_p,
    topK: body.top_k === undefined ? undefined : Math.max(0, body.top_k),
    minP: body.min_p,
    typicalP: body.typical_p,
    repeatPenalty: body.repeat_penalty ?? body.repetition_penalty,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    seed: toSeed(body.seed),
    logitBias: toLogitBias(body.logit_bias),
  });
}

/** -1 asks for a random seed, as absence does; engines take 32 bits. */
function toSeed(seed: number | undefined): number | undefined {
  return seed === undefined || seed === -1 ? undefined : Number(BigInt.asUintN(32, BigInt(seed)));
}

function toLogitBias(bias: GenerationBody["logit_bias"]): ReadonlyMap<number, number> | undefined {
  const entries = Object.entries(bias ?? {});
  return entries.length === 0 ? undefined : new Map(entries.map(([token, value]) => [Number(token), value]));
}

function toFormat({ response_format: format, grammar }: GenerationBody): OutputFormat | undefined {
  if (grammar !== undefined) {
    if (format && format.type !== "text") throw badField("grammar", "and response_format cannot both be set");
    return { type: "gbnf", grammar };
  }
  if (!format || format.type === "text") return undefined;
  if (format.type === "json_schema" && !format.json_schema.schema) {
    throw badField("response_format.json_schema.schema", "is missing");
  }
  const schema = format.type === "json_schema" ? format.json_schema.schema : format.schema;
  return schema ? { type: "json-schema", schema } : { type: "json" };
}

function toTools({ tools }: ChatBody): readonly Tool[] | undefined {
  if (!tools || tools.length === 0) return undefined;
  return tools.map(({ function: { name, description, parameters } }) => ({
    name,
    ...defined({ description }),
    parameters: parameters ?? { type: "object", properties: {} },
  }));
}

function toToolChoice({ tools = [], tool_choice: choice }: ChatBody): ToolChoice | undefined {
  if (choice === undefined || choice === "none" || choice === "auto") return choice;
  if (tools.length === 0) throw badField("tool_choice", "asks for a tool, but tools is empty");
  if (choice === "required") return choice;
  const { name } = choice.function;
  if (!tools.some((tool) => tool.function.name === name)) {
    throw badField("tool_choice.function.name", `is "${name.slice(0, 64)}", which is not one of the tools`);
  }
  return { name };
}

function toThink(effort: ChatBody["reasoning_effort"]): boolean | "low" | "medium" | "high" | undefined {
  switch (effort) {
    case undefined:
    case "low":
    case "medium":
    case "high":
      return effort;
    case "none":
      return false;
    case "minimal":
      return "low";
    default:
      return "high";
  }
}

function toMessage(message: MessageBody, index: number): Message {
  const field = `messages[${index}]`;
  switch (message.role) {
    case "system":
    case "developer":
      return { role: "system", content: toContent(message.content, field) };
    case "user":
      return { role: "user", content: toContent(message.content, field) };
    case "tool":
      return {
        role: "tool",
        content: toContent(message.content, field),
        ...defined({ toolCallId: message.tool_call_id, name: message.name }),
      };
    default: {
      const calls = message.tool_calls?.map((call) => ({ id: call.id, ...call.function }));
      return {
        role: "assistant",
        content: message.content ? toContent(message.content, field) : (message.refusal ?? ""),
        ...defined({
          reasoning: message.reasoning_content ?? message.reasoning,
          toolCalls: calls && calls.length > 0 ? calls : undefined,
        }),
      };
    }
  }
}

function toContent(parts: readonly PartBody[], field: string): string | readonly ContentPart[] {
  const [first] = parts;
  if (parts.length === 1 && first?.type === "text") return first.text;
  return parts.map((part, index) => toPart(part, `${field}.content[${index}]`));
}

function toPart(part: PartBody, field: string): ContentPart {
  switch (part.type) {
    case "text":
      return { type: "text", text: part.text };
    case "refusal":
      return { type: "text", text: part.refusal };
    case "image_url":
      return imageFromUrl(part.image_url.url, `${field}.image_url.url`);
    default:
      return audioFromBase64(part.input_audio.data, part.input_audio.format, `${field}.input_audio`);
  }
}
