/** Bodies of chat and text completions: OpenAI's fields, and the extensions that local servers share. */
import { z } from "zod";
import { parseBody } from "../shared/body.ts";

type Json = Readonly<Record<string, unknown>>;
type Maybe<T> = T | null | undefined;

/** What both kinds of generation take. Ranges are those of OpenAI's reference where it has the field. */
export interface GenerationBody {
  readonly model: string;
  readonly stream?: boolean | undefined;
  readonly stream_options?: { readonly include_usage?: Maybe<boolean> } | undefined;
  readonly max_tokens?: number | undefined;
  readonly n?: number | undefined;
  readonly stop?: string | readonly string[] | undefined;
  readonly seed?: number | undefined;
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly presence_penalty?: number | undefined;
  readonly frequency_penalty?: number | undefined;
  readonly logit_bias?: Readonly<Record<string, number>> | undefined;
  readonly response_format?: ResponseFormat | undefined;
  readonly service_tier?: "auto" | "default" | "flex" | "scale" | "priority" | "fast" | undefined;
  // Extensions.
  readonly top_k?: number | undefined;
  readonly min_p?: number | undefined;
  readonly typical_p?: number | undefined;
  readonly repeat_penalty?: number | undefined;
  readonly repetition_penalty?: number | undefined;
  readonly keep_alive?: string | number | undefined;
  readonly overflow?: "error" | "truncate-oldest" | "truncate-middle" | undefined;
  readonly grammar?: string | undefined;
  readonly ignore_eos?: boolean | undefined;
  /** As vLLM has it: logprobs of the prompt, and so many of the likeliest tokens at each place. */
  readonly prompt_logprobs?: number | undefined;
  /** As vLLM has it: lower is earlier. */
  readonly priority?: number | undefined;
  /** As llama.cpp's server has it: adapters by their place; those that are not named are not used. */
  readonly lora?: readonly { readonly id: number; readonly scale?: number | undefined }[] | undefined;
}

export type ResponseFormat =
  | { readonly type: "text" }
  | { readonly type: "json_object"; readonly schema?: Maybe<Json> }
  | { readonly type: "json_schema"; readonly json_schema: { readonly schema?: Maybe<Json> } };

export interface ChatBody extends GenerationBody {
  readonly messages: readonly MessageBody[];
  readonly max_completion_tokens?: number | undefined;
  readonly logprobs?: boolean | undefined;
  readonly top_logprobs?: number | undefined;
  readonly tools?: readonly { readonly type: "function"; readonly function: FunctionBody }[] | undefined;
  readonly tool_choice?:
    | "none"
    | "auto"
    | "required"
    | { readonly type: "function"; readonly function: { readonly name: string } }
    | undefined;
  readonly parallel_tool_calls?: boolean | undefined;
  readonly reasoning_effort?: "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | undefined;
  readonly chat_template_kwargs?: Json | undefined;
}

export interface FunctionBody {
  readonly name: string;
  readonly description?: Maybe<string>;
  readonly parameters?: Maybe<Json>;
}

export type PartBody =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "refusal"; readonly refusal: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } }
  | { readonly type: "input_audio"; readonly input_audio: { readonly data: string; readonly format: string } };

/** A content of plain text is one part of text. */
type Content = readonly PartBody[];

export type MessageBody =
  | { readonly role: "system" | "developer" | "user"; readonly content: Content }
  | {
      readonly role: "assistant";
      readonly content?: Maybe<Content>;
      readonly refusal?: Maybe<string>;
      readonly reasoning_content?: Maybe<string>;
      readonly reasoning?: Maybe<string>;
      readonly tool_calls?: Maybe<
        readonly { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }[]
      >;
    }
  | {
      readonly role: "tool";
      readonly content: Content;
      readonly tool_call_id?: Maybe<string>;
      readonly name?: Maybe<string>;
    };

export interface CompletionBody extends GenerationBody {
  readonly prompt: string | readonly string[] | readonly number[] | readonly (readonly number[])[];
  readonly suffix?: string | undefined;
  readonly echo?: boolean | undefined;
  readonly best_of?: number | undefined;
  readonly logprobs?: number | undefined;
}

export function parseChatBody(body: unknown): ChatBody {
  return parseBody(chatBody, body);
}

export function parseCompletionBody(body: unknown): CompletionBody {
  return parseBody(completionBody, body);
}

const json = z.record(z.string(), z.unknown());
const count = z.int().min(1);
/** -1 is how LM Studio and llama.cpp clients say "no limit". */
const tokenLimit = z.int().refine((value) => value >= 1 || value === -1, "must be at least 1, or -1 for no limit");
const stopString = z.string().min(1);

const responseFormat: z.ZodType<ResponseFormat> = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("text") }),
    z.object({ type: z.literal("json_object"), schema: json.nullish() }),
    z.object({ type: z.literal("json_schema"), json_schema: z.object({ schema: json.nullish() }) }),
  ],
  { error: 'must be an object whose type is "text", "json_object" or "json_schema"' },
);

const generation = {
  model: z.string().min(1).max(512),
  stream: z.boolean().optional(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).optional(),
  max_tokens: tokenLimit.optional(),
  n: count.max(16).optional(),
  stop: z
    .union([stopString, z.array(stopString).max(16)], { error: "must be text or up to 16 texts, none empty" })
    .optional(),
  seed: z.int().optional(),
  temperature: z.number().min(0).max(2).optional(),
  top_p: z.number().min(0).max(1).optional(),
  presence_penalty: z.number().min(-2).max(2).optional(),
  frequency_penalty: z.number().min(-2).max(2).optional(),
  logit_bias: z
    .record(z.string().regex(/^\d{1,9}$/, "has a key that is not a token id"), z.number().min(-100).max(100), {
      error: "must be an object from token ids to numbers",
    })
    .optional(),
  response_format: responseFormat.optional(),
  service_tier: z.enum(["auto", "default", "flex", "scale", "priority", "fast"]).optional(),
  top_k: z.int().min(-1).max(1_000_000).optional(),
  min_p: z.number().min(0).max(1).optional(),
  typical_p: z.number().min(0).max(1).optional(),
  repeat_penalty: z.number().gt(0).max(10).optional(),
  repetition_penalty: z.number().gt(0).max(10).optional(),
  keep_alive: z.union([z.string(), z.number()], { error: "must be a duration or a number of seconds" }).optional(),
  overflow: z.enum(["error", "truncate-oldest", "truncate-middle"]).optional(),
  grammar: z
    .string()
    .min(1)
    .max(64 * 1024)
    .optional(),
  ignore_eos: z.boolean().optional(),
  prompt_logprobs: z.int().min(0).max(20).optional(),
  priority: z.int().optional(),
  lora: z
    .array(z.object({ id: z.int().min(0).max(63), scale: z.number().min(-1000).max(1000).optional() }))
    .max(64)
    .optional(),
};

const partBody: z.ZodType<PartBody> = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("text"), text: z.string() }),
    z.object({ type: z.literal("refusal"), refusal: z.string() }),
    z.object({ type: z.literal("image_url"), image_url: z.object({ url: z.string() }) }),
    z.object({ type: z.literal("input_audio"), input_audio: z.object({ data: z.string(), format: z.string() }) }),
  ],
  { error: 'must be a part of type "text", "image_url", "input_audio" or "refusal"' },
);

const content: z.ZodType<Content> = z.preprocess(
  (value) => (typeof value === "string" ? [{ type: "text", text: value }] : value),
  z.array(partBody, { error: "must be text or an array of parts" }),
);

const messageBody: z.ZodType<MessageBody> = z.discriminatedUnion(
  "role",
  [
    z.object({ role: z.literal(["system", "developer", "user"]), content }),
    z.object({
      role: z.literal("assistant"),
      content: z.preprocess((value) => (value === null ? undefined : value), content.optional()),
      refusal: z.string().nullish(),
      reasoning_content: z.string().nullish(),
      reasoning: z.string().nullish(),
      function_call: replacedBy("tool_calls"),
      tool_calls: z
        .array(z.object({ id: z.string(), function: z.object({ name: z.string().min(1), arguments: z.string() }) }))
        .nullish(),
    }),
    z.object({ role: z.literal("tool"), content, tool_call_id: z.string().nullish(), name: z.string().nullish() }),
  ],
  { error: "must have the role system, developer, user, assistant or tool (the old role function is role tool now)" },
);

/** Fields of the API before tools: they would change the answer, so they are not ignored. */
function replacedBy(field: string): z.ZodOptional<z.ZodType<undefined>> {
  return z.undefined({ error: `is the old way to call tools; send ${field}` }).optional();
}

const functionBody = z.object({
  name: z.string().min(1).max(128),
  description: z.string().nullish(),
  parameters: json.nullish(),
});

const chatBody: z.ZodType<ChatBody> = z.object({
  ...generation,
  messages: z.array(messageBody).min(1),
  max_completion_tokens: tokenLimit.optional(),
  logprobs: z.boolean().optional(),
  top_logprobs: z.int().min(0).max(20).optional(),
  tools: z
    .array(z.object({ type: z.literal("function"), function: functionBody }))
    .max(512)
    .optional(),
  tool_choice: z
    .union(
      [
        z.enum(["none", "auto", "required"]),
        z.object({ type: z.literal("function"), function: z.object({ name: z.string() }) }),
      ],
      { error: 'must be "none", "auto", "required" or {"type":"function","function":{"name":…}}' },
    )
    .optional(),
  functions: replacedBy("tools"),
  function_call: replacedBy("tool_choice"),
  parallel_tool_calls: z.boolean().optional(),
  reasoning_effort: z.enum(["none", "minimal", "low", "medium", "high", "xhigh"]).optional(),
  chat_template_kwargs: json.optional(),
});

const token = z.int().min(0);
const completionBody: z.ZodType<CompletionBody> = z.object({
  ...generation,
  // 0: the prompt alone is wanted, with `echo` or `prompt_logprobs`.
  max_tokens: z
    .int()
    .refine((value) => value >= -1, "must be at least 0, or -1 for no limit")
    .optional(),
  prompt: z.union(
    [z.string(), z.array(z.string()).min(1), z.array(token).min(1), z.array(z.array(token).min(1)).min(1)],
    { error: "must be text, token ids, or a non-empty array of either" },
  ),
  suffix: z.string().optional(),
  echo: z.boolean().optional(),
  best_of: count.max(16).optional(),
  logprobs: z.int().min(0).max(20).optional(),
});
