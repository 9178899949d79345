/** Ollama's `options` object → sampling, load options and limits. Nothing is accepted and ignored. */
import { z } from "zod";
import { HearthError } from "../../error.ts";
import type { LoadOptions } from "../../spec/engine.ts";
import type { Sampling } from "../../spec/sampling.ts";
import { didYouMean } from "../../util/distance.ts";
import { parseField, unsupported } from "./fields.ts";

export interface ModelOptions {
  readonly sampling: Sampling;
  readonly load: LoadOptions;
  /** Absent: until the model stops or the context is full. */
  readonly maxTokens?: number;
  readonly stop?: readonly string[];
}

type Writable<T> = { -readonly [Name in keyof T]: T[Name] };

interface Draft {
  readonly sampling: Writable<Sampling>;
  readonly load: Writable<LoadOptions>;
  readonly mirostat: { version: 0 | 1 | 2; tau?: number; eta?: number };
  readonly truncates: boolean;
  maxTokens?: number;
  stop?: readonly string[];
}

type Row = (draft: Draft, value: unknown, field: string) => void;

const share = z.number().min(0).max(1);
const penalty = z.number().min(-2).max(2);
const count = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);

const rows: Readonly<Record<string, Row>> = {
  temperature: option(z.number().min(0).max(100), ({ sampling }, value) => (sampling.temperature = value)),
  top_k: option(z.int().max(2 ** 31 - 1), ({ sampling }, value) => (sampling.topK = Math.max(0, value))),
  top_p: option(share, ({ sampling }, value) => (sampling.topP = value)),
  min_p: option(share, ({ sampling }, value) => (sampling.minP = value)),
  typical_p: option(share, ({ sampling }, value) => (sampling.typicalP = value)),
  repeat_penalty: option(z.number().gt(0).max(10), ({ sampling }, value) => (sampling.repeatPenalty = value)),
  repeat_last_n: option(
    z
      .int()
      .min(-1)
      .max(2 ** 31 - 1),
    ({ sampling }, value) => (sampling.repeatLastTokens = value),
  ),
  presence_penalty: option(penalty, ({ sampling }, value) => (sampling.presencePenalty = value)),
  frequency_penalty: option(penalty, ({ sampling }, value) => (sampling.frequencyPenalty = value)),
  // A negative seed is Ollama's word for a random one, which is our default; engines take 32 bits.
  seed: option(z.int(), ({ sampling }, value) => value >= 0 && (sampling.seed = value % 2 ** 32)),
  mirostat: option(z.literal([0, 1, 2]), ({ mirostat }, value) => (mirostat.version = value)),
  mirostat_tau: option(z.number().min(0).max(100), ({ mirostat }, value) => (mirostat.tau = value)),
  mirostat_eta: option(z.number().min(0).max(1), ({ mirostat }, value) => (mirostat.eta = value)),
  // -1 and -2 both mean: until the model stops or the context is full. There is no context shift to go on after that.
  num_predict: option(z.union([z.literal([-1, -2]), count], "must be -1, -2 or at least 1"), (draft, value) => {
    if (value > 0) draft.maxTokens = value;
  }),
  stop: option(
    z.union([z.string(), z.array(z.string().max(1024)).max(16)], "must be an array of at most 16 short strings"),
    (draft, value) => {
      draft.stop = (typeof value === "string" ? [value] : value).filter((text) => text !== "");
    },
  ),
  num_keep: (draft, value, field) => {
    const kept = parseField(z.int().min(-1), value, field);
    // Without truncation everything is kept, which is at least what was asked for.
    if (draft.truncates && kept !== 0)
      throw unsupported(field, "truncation keeps the system message and whole turns, not a number of tokens");
  },
  num_ctx: option(
    z
      .int()
      .min(0)
      .max(2 ** 31 - 1),
    ({ load }, value) => value > 0 && (load.contextTokens = value),
  ),
  num_batch: option(count, ({ load }, value) => (load.batchTokens = value)),
  num_thread: option(z.int().min(0).max(4096), ({ load }, value) => value > 0 && (load.threads = value)),
  num_gpu: option(z.int().min(-1).max(100_000), ({ load }, value) => (load.gpuLayers = value < 0 ? "auto" : value)),
  use_mmap: option(z.boolean(), ({ load }, value) => (load.mmap = value)),
  use_mlock: option(z.boolean(), ({ load }, value) => (load.mlock = value)),
  f16_kv: option(z.boolean(), ({ load }, value) => (load.kvTypeK = load.kvTypeV = value ? "f16" : "f32")),
  main_gpu: only([0], "layers are placed by the device setting of the server, not by a GPU number"),
  low_vram: only([false], "use num_gpu to keep layers off the GPU"),
  numa: only([false], "NUMA placement is not offered"),
  vocab_only: only([false], "a model is always loaded with its weights"),
  logits_all: only([false], "use logprobs and top_logprobs"),
  embedding_only: only([false], "use /api/embed"),
  penalize_newline: only([true], "penalties count newlines like every other token"),
  tfs_z: only([1], "tail-free sampling is not offered; use min_p"),
  num_gqa: only([1], "the number of key and value heads is read from the model"),
  rope_frequency_base: only([0], "RoPE parameters are read from the model"),
  rope_frequency_scale: only([0, 1], "RoPE parameters are read from the model"),
  draft_num_predict: only([0], "there is no draft model to speculate with"),
};

export const optionNames: readonly string[] = Object.keys(rows);

/** `truncates`: the caller asked for prompts to be cut. Throws `bad_request` or `unsupported_option`. */
export function toModelOptions(
  options: Readonly<Record<string, unknown>> | null | undefined,
  truncates = false,
): ModelOptions {
  const draft: Draft = { sampling: {}, load: {}, mirostat: { version: 0 }, truncates };
  for (const [name, value] of Object.entries(options ?? {})) {
    if (value === null) continue;
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
    if (!row) throw unknownOption(name);
    row(draft, value, `options.${name}`);
  }
  const { mirostat, sampling, load, maxTokens, stop } = draft;
  const { version, ...rest } = mirostat;
  return {
    sampling: version === 0 ? sampling : { ...sampling, mirostat: { version, ...rest } },
    load,
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(stop === undefined || stop.length === 0 ? {} : { stop }),
  };
}

function unknownOption(name: string): HearthError {
  const field = `options.${name.slice(0, 60)}`;
  const message = `There is no option "${field}".${didYouMean(name.slice(0, 60), Object.keys(rows))}`;
  return new HearthError("bad_request", message, { details: { field } });
}

function option<T>(schema: z.ZodType<T>, apply: (draft: Draft, value: T) => unknown): Row {
  return (draft, value, field) => {
    apply(draft, parseField(schema, value, field));
  };
}

/** An option that is only known for values that change nothing. */
function only(neutral: readonly (number | boolean)[], reason: string): Row {
  const schema = typeof neutral[0] === "boolean" ? z.boolean() : z.number();
  return (_draft, value, field) => {
    if (!neutral.includes(parseField<number | boolean>(schema, value, field))) throw unsupported(field, reason);
  };
}
