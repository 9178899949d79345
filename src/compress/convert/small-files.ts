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
  const add = (name: string, value: unknown): void => void files.set(name, toText(value));
  const { config, generation, family } = restored;
  const { tokenizer, problem, settings, templates } = restoreTokenizer(file);
  add("config.json", config);
  if (generation) add("generation_config.json", generation);
  if (tokenizer) files.set("tokenizer.json", `${JSON.stringify(tokenizer)}\n`);
  add("tokenizer_config.json", settings);
  for (const [name, text] of templates) {
    files.set(name === "default" ? "chat_template.jinja" : `additional_chat_templates/${name}.jinja`, text);
  }
  files.set("README.md", cardOf(file));
  if (shards.length > 1) add("model.safetensors.index.json", indexOf(shards));
  addPooling(add, Number(file.metadata.get(`${family.architecture}.pooling_type`) ?? 0));
  return { files, notes: problem === undefined ? [] : [`There is no tokenizer.json: ${problem}.`] };
}

const floats = /(softcapping|multiplier|scaling|_eps|epsilon|theta|factor|freq|beta_\w+|temperature|_p|penalty)$/;

/** JSON in which numbers stay floats that readers of other languages want as such, though they are whole. */
function toText(value: unknown): string {
  const lines = JSON.stringify(value, null, 2).split("\n");
  const marked = lines.map((line) => {
    const [, start = "", key = "", number, end] = /^(\s*"(\w+)": )(-?\d+)(,?)$/.exec(line) ?? [];
    return number !== undefined && floats.test(key) ? `${start}${number}.0${end}` : line;
  });
  return `${marked.join("\n")}\n`;
}

/** What GGUF says of a model's origin, as hubs read it. */
function cardOf({ metadata, name }: GgufFile): string {
  const line = (key: string, from: string): string[] => {
    const value = metadata.get(from);
    return typeof value === "string" && value !== "" ? [`${key}: ${JSON.stringify(value)}`] : [];
  };
  const title = metadata.get("general.name");
  const front = [...line("license", "general.license"), ...line("model_name", "general.name")];
  return `---\n${front.join("\n")}\n---\n\n# ${typeof title === "string" ? title : name}\n\nMade of a GGUF file by \`hearth convert\`.\n`;
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
