/** The request bodies of Ollama's API. `null` counts as absent everywhere, as in Ollama. */
import { z } from "zod";
import { createParser } from "./fields.ts";
import { optionNames } from "./options.ts";

type Maybe<T> = T | null | undefined;
type Json = Readonly<Record<string, unknown>>;

export interface MessageBody {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content?: Maybe<string>;
  readonly thinking?: Maybe<string>;
  readonly images?: Maybe<readonly string[]>;
  readonly tool_calls?: Maybe<readonly ToolCallBody[]>;
  readonly tool_name?: Maybe<string>;
  readonly tool_call_id?: Maybe<string>;
}

export interface ToolCallBody {
  readonly id?: Maybe<string>;
  readonly function: { readonly name: string; readonly arguments?: Maybe<Json> };
}

export interface ToolBody {
  readonly function: {
    readonly name: string;
    readonly description?: Maybe<string>;
    readonly parameters?: Maybe<Json>;
  };
}

interface LoadBody {
  readonly model: string;
  readonly options?: Maybe<Json>;
  /** Seconds, or a duration such as `5m`. */
  readonly keep_alive?: Maybe<string | number>;
}

export interface GenerationBody extends LoadBody {
  readonly stream?: Maybe<boolean>;
  readonly format?: Maybe<string | Json>;
  readonly think?: Maybe<boolean | "low" | "medium" | "high" | "max">;
  readonly truncate?: Maybe<boolean>;
  readonly shift?: Maybe<boolean>;
  readonly logprobs?: Maybe<boolean>;
  readonly top_logprobs?: Maybe<number>;
  readonly _debug_render_only?: Maybe<boolean>;
}

export interface ChatBody extends GenerationBody {
  readonly messages?: Maybe<readonly MessageBody[]>;
  readonly tools?: Maybe<readonly ToolBody[]>;
  /** Not in Ollama: clients that send it expect OpenAI's meaning. */
  readonly tool_choice?: Maybe<"auto" | "none" | "required" | { readonly function: { readonly name: string } }>;
}

export interface GenerateBody extends GenerationBody {
  readonly prompt?: Maybe<string>;
  readonly suffix?: Maybe<string>;
  readonly system?: Maybe<string>;
  readonly template?: Maybe<string>;
  readonly context?: Maybe<readonly number[]>;
  readonly raw?: Maybe<boolean>;
  readonly images?: Maybe<readonly string[]>;
}

export interface EmbedBody extends LoadBody {
  readonly input?: Maybe<string | readonly string[]>;
  readonly truncate?: Maybe<boolean>;
  readonly dimensions?: Maybe<number>;
}

export interface EmbeddingsBody extends LoadBody {
  readonly prompt?: Maybe<string>;
}

const json = z.record(z.string(), z.unknown());
const flag = z.boolean().nullish();
const text = z.string().nullish();
const texts = z.array(z.string()).nullish();
const load = {
  model: z.string().trim().min(1).max(2048),
  options: json.nullish(),
  keep_alive: z.union([z.number(), z.string()], "must be a duration such as 5m, or a number of seconds").nullish(),
};

const message = z.object({
  role: z
    .string()
    .toLowerCase()
    .pipe(z.enum(["system", "user", "assistant", "tool"])),
  content: text,
  thinking: text,
  images: texts,
  tool_calls: z
    .array(z.object({ id: text, function: z.object({ name: z.string().min(1), arguments: json.nullish() }) }))
    .nullish(),
  tool_name: text,
  tool_call_id: text,
});

const tool = z.object({
  type: z.literal("function").nullish(),
  function: z.object({ name: z.string().min(1).max(128), description: text, parameters: json.nullish() }),
});

const toolChoice = z.union(
  [z.literal(["auto", "none", "required"]), z.object({ function: z.object({ name: z.string().min(1) }) })],
  'must be "auto", "none", "required" or {"type": "function", "function": {"name": …}}',
);

const generation = {
  ...load,
  stream: flag,
  format: z.union([z.literal(["", "json"]), json], 'must be "json" or a JSON schema').nullish(),
  think: z
    .union([z.boolean(), z.literal(["low", "medium", "high", "max"])], "must be true, false, low, medium, high or max")
    .nullish(),
  truncate: flag,
  shift: flag,
  logprobs: flag,
  top_logprobs: z.int().min(0).max(20).nullish(),
  _debug_render_only: flag,
};

const misplaced: Readonly<Record<string, string>> = {
  ...Object.fromEntries(optionNames.map((name) => [name, 'belongs inside "options"'])),
  max_tokens: 'is called num_predict here and belongs inside "options"',
};

export const parseChatBody: (body: unknown) => ChatBody = createParser(
  z.object({
    ...generation,
    messages: z.array(message).nullish(),
    tools: z.array(tool).max(512).nullish(),
    tool_choice: toolChoice.nullish(),
  }),
  {
    ...misplaced,
    system: "belongs to /api/generate; send a message with the role system",
    template: "belongs to /api/generate",
    context: "belongs to /api/generate; send the earlier messages",
    prompt: "belongs to /api/generate; send messages",
    suffix: "belongs to /api/generate",
    raw: "belongs to /api/generate",
    images: "belongs inside a message",
  },
);

export const parseGenerateBody: (body: unknown) => GenerateBody = createParser(
  z.object({
    ...generation,
    prompt: text,
    suffix: text,
    system: text,
    template: text,
    context: z.array(z.int().min(0)).nullish(),
    raw: flag,
    images: texts,
  }),
  {
    ...misplaced,
    messages: "belongs to /api/chat",
    tools: "belongs to /api/chat",
    width: "is for making images, which is not offered here",
    height: "is for making images, which is not offered here",
    steps: "is for making images, which is not offered here",
  },
);

export const parseEmbedBody: (body: unknown) => EmbedBody = createParser(
  z.object({
    ...load,
    input: z
      .union([z.string(), z.array(z.string()).max(2048)], "must be text or an array of at most 2,048 texts")
      .nullish(),
    truncate: flag,
    dimensions: z.int().min(0).nullish(),
  }),
  { prompt: "belongs to /api/embeddings; send input" },
);

export const parseEmbeddingsBody: (body: unknown) => EmbeddingsBody = createParser(
  z.object({ ...load, prompt: text }),
  { input: "belongs to /api/embed; send prompt" },
);
