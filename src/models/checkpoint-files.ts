/** Which files of a folder or repository are a SafeTensors checkpoint together. */
import { chooseWeights } from "../formats/checkpoint/files.ts";

const plain: ReadonlySet<string> = new Set([
  "README.md",
  "config.json",
  "generation_config.json",
  "quantize_config.json",
  "quant_config.json",
  "tokenizer.json",
  "tokenizer.model",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.txt",
  "chat_template.jinja",
  "chat_template.json",
  "1_Pooling/config.json",
]);
const indexName = "model.safetensors.index.json";

/**
 * Names of the files that are read, the weights first; undefined: there is no checkpoint among them. `names` are relative to
 * the folder of its `config.json`.
 */
export function checkpointFiles(names: readonly string[]): readonly string[] | undefined {
  const weights = chooseWeights(names);
  if (weights.length === 0 || !names.includes("config.json")) return undefined;
  const isSharded = weights.length > 1 || /-of-\d{5}\.safetensors$/.test(weights[0] ?? "");
  const small = names.filter(
    (name) =>
      plain.has(name) || (isSharded && name === indexName) || /^additional_chat_templates\/[\w-]+\.jinja$/.test(name),
  );
  return [...weights, ...small.toSorted()];
}

const pickle = /^(pytorch_model|model|consolidated)[^/]*\.(bin|pt|pth|ckpt|pkl)$/i;

/** Weights that run programs when they are opened. */
export function findPickle(names: readonly string[]): string | undefined {
  return names.find((name) => pickle.test(name));
}
