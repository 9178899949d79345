import { HearthError } from "../error.ts";
import { integerOf, numbersOf, stringOf, stringsOf } from "../formats/gguf/check.ts";
import { kindOf } from "../formats/gguf/kind.ts";
import type { GgufFile, GgufTensor } from "../formats/gguf/types.ts";
import { isGgufArray } from "../formats/gguf/types.ts";
import { validateForEngine } from "../formats/gguf/validate.ts";
import type { ModelInfo } from "../spec/model.ts";
import { capabilitiesOf, poolingOf } from "./capabilities.ts";
import { cacheBytesPerToken, isEncoder } from "./kv.ts";
import { quantizationLabel } from "./quantization.ts";
import { specialTokens } from "./special-tokens.ts";

/**
 * What the header of a model says, after all checks that native code relies on. `others` are the further parts of a split
 * model. Works in a browser too. Throws `model_malformed` and `model_unsupported`, as `inspectGguf` does.
 */
export function describeGguf(first: GgufFile, others: readonly GgufFile[] = []): ModelInfo {
  refuseOther(first);
  const tensors = [first, ...others].flatMap((file) => file.tensors);
  validateForEngine(first, tensors);
  for (const other of others) validateForEngine(other);
  return describe(first, tensors);
}

/** Throws `model_unsupported` for a GGUF file that is no model, or not the first part of one. */
export function refuseOther(gguf: GgufFile): void {
  const kind = kindOf(gguf);
  const refusals = {
    shard: [
      `is part ${(gguf.splitIndex ?? 0) + 1} of ${gguf.splitCount} of a model`,
      "Give the first part; the others are found beside it.",
    ],
    adapter: ["is a LoRA adapter, not a model", "Load its base model with this adapter."],
    projector: ["is the image encoder of a model, not a model", "Give the file of the language model."],
    vocabulary: ["holds a vocabulary but no weights", "Give the file of the model."],
    other: ["holds measurements of a model, not a model", "Give the file of the model."],
  } as const;
  if (kind === "model") return;
  const [what, hint] = refusals[kind];
  throw new HearthError("model_unsupported", `${gguf.name} ${what}.`, { hint });
}

function describe(gguf: GgufFile, tensors: readonly GgufTensor[]): ModelInfo {
  const architecture = stringOf(gguf, "general.architecture") ?? "";
  const tokens = stringsOf(gguf, "tokenizer.ggml.tokens");
  const template = stringOf(gguf, "tokenizer.chat_template");
  const special = specialTokens(tokens, numbersOf(gguf, "tokenizer.ggml.token_type"));
  const pooling = poolingOf(gguf, architecture);
  const integer = (name: string): number => integerOf(gguf, `${architecture}.${name}`, [0, 2 ** 31]) ?? 0;
  const bos = tokenText(gguf, "bos");
  const eos = tokenText(gguf, "eos");
  return {
    format: "gguf",
    architecture,
    parameterCount: sum(tensors.map((tensor) => tensor.shape.reduce((product, size) => product * size, 1))),
    quantization: quantizationLabel(gguf, tensors),
    trainContextTokens: integer("context_length"),
    embeddingLength: integer("embedding_length"),
    blockCount: integer("block_count"),
    vocabularySize: tokens?.length ?? integer("vocab_size"),
    kvBytesPerToken: isEncoder(architecture) ? 0 : cacheBytesPerToken(gguf, architecture),
    weightBytes: sum(tensors.map((tensor) => tensor.sizeBytes)),
    ...(template !== undefined && { chatTemplate: template }),
    ...(bos !== undefined && { bosToken: bos }),
    ...(eos !== undefined && { eosToken: eos }),
    specialTokens: special,
    capabilities: capabilitiesOf({ gguf, architecture, pooling, template, special }),
    ...(pooling && { pooling }),
    metadata: scalars(gguf),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Ids that tokenizers of a kind have where the file names none. */
const assumedIds: Readonly<Record<string, { readonly bos?: number; readonly eos?: number }>> = {
  llama: { bos: 1, eos: 2 },
  gpt2: {},
  bert: { bos: 101, eos: 102 },
};

function tokenText(gguf: GgufFile, name: "bos" | "eos"): string | undefined {
  const tokens = stringsOf(gguf, "tokenizer.ggml.tokens");
  const assumed = assumedIds[stringOf(gguf, "tokenizer.ggml.model") ?? ""]?.[name];
  const id = integerOf(gguf, `tokenizer.ggml.${name}_token_id`, [0, 2 ** 32]) ?? assumed;
  return tokens && id !== undefined && id < tokens.length ? tokens.at(id) : undefined;
}

function scalars(gguf: GgufFile): Record<string, string | number | boolean | bigint> {
  const result: [string, string | number | boolean | bigint][] = [];
  for (const [key, value] of gguf.metadata) if (!isGgufArray(value)) result.push([key, value]);
  return Object.fromEntries(result);
}
