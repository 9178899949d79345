/** The files that stand beside the weights of a checkpoint. */
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { RestoredConfig } from "../../formats/checkpoint/reverse/config.ts";
import { restoreTokenizer } from "../../formats/checkpoint/reverse/tokenizer.ts";
import type { Shard } from "./shards.ts";

export interface SmallFiles {
  /** Name → text. */
  readonly files: ReadonlyMap<string, string>;
  /** What could not be written. */
  readonly notes: readonly string[];
}

export function smallFiles(file: GgufFile, restored: RestoredConfig, shards: readonly Shard[]): SmallFiles {
  const files = new Map<string, string>();
  const add = (name: string, value: unknown): void => void files.set(name, `${JSON.stringify(value, null, 2)}\n`);
  const { config, generation, family } = restored;
  const { tokenizer, problem, settings, templates } = restoreTokenizer(file);
  add("config.json", config);
  if (generation) add("generation_config.json", generation);
  if (tokenizer) files.set("tokenizer.json", `${JSON.stringify(tokenizer)}\n`);
  add("tokenizer_config.json", settings);
  for (const [name, text] of templates) {
    files.set(name === "default" ? "chat_template.jinja" : `additional_chat_templates/${name}.jinja`, text);
  }
  if (shards.length > 1) add("model.safetensors.index.json", indexOf(shards));
  addPooling(add, Number(file.metadata.get(`${family.architecture}.pooling_type`) ?? 0));
  return { files, notes: problem === undefined ? [] : [`There is no tokenizer.json: ${problem}.`] };
}

function indexOf(shards: readonly Shard[]): unknown {
  const entries = shards.flatMap(({ name, tensors }) => tensors.map((tensor) => [tensor.name, name] as const));
  const total = shards.reduce((sum, { bytes }) => sum + bytes, 0);
  return { metadata: { total_size: total }, weight_map: Object.fromEntries(entries) };
}

const poolings: Readonly<Record<number, string>> = { 1: "mean_tokens", 2: "cls_token", 3: "lasttoken" };

/** As sentence-transformers keeps it. */
function addPooling(add: (name: string, value: unknown) => void, pooling: number): void {
  const mode = poolings[pooling];
  if (mode === undefined) return;
  add("1_Pooling/config.json", { [`pooling_mode_${mode}`]: true });
  add("modules.json", [
    { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
    { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
  ]);
}
