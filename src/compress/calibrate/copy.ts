/** The files beside the weights of a checkpoint, for one that has the same model with other weights. */
import { readFileSync } from "node:fs";
import { listCheckpoint } from "../../formats/checkpoint/files.ts";
import { isObject, readText } from "../../formats/checkpoint/json.ts";

export interface CopyOptions {
  /** `quantization_config` */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly dtype: string;
  /** What would be written without the folder: the names and parts of the weights are only there. */
  readonly files: ReadonlyMap<string, string>;
}

const indexName = "model.safetensors.index.json";
const copied =
  /^(?:tokenizer[\w.-]*|special_tokens_map\.json|added_tokens\.json|vocab\.(?:json|txt)|merges\.txt|generation_config\.json|chat_template[\w.]*|additional_chat_templates\/[\w.-]+|README\.md|LICEN[CS]E[\w.]*|NOTICE[\w.]*)$/i;

export function copySmall(
  folder: string,
  { settings, dtype, files }: CopyOptions,
): ReadonlyMap<string, string | Uint8Array> {
  const { paths } = listCheckpoint(folder);
  const texts = new Map<string, string | Uint8Array>();
  for (const [name, path] of paths) if (copied.test(name)) texts.set(name, readFileSync(path));
  const path = paths.get("config.json");
  if (path !== undefined) texts.set("config.json", withSettings(readText(path, "config.json"), settings, dtype));
  const index = files.get(indexName);
  if (index !== undefined) texts.set(indexName, index);
  return texts;
}

/** The text as it is but for that: other readers mind whether a number is written with a point. */
function withSettings(text: string, settings: CopyOptions["settings"], dtype: string): string {
  const values: unknown = JSON.parse(text);
  const added = JSON.stringify(settings, null, 2).replaceAll("\n", "\n  ");
  if (isObject(values) && !("quantization_config" in values)) {
    const typed = text.replace(/("(?:torch_)?dtype"\s*:\s*)"\w+"/, `$1"${dtype}"`);
    return typed.replace(/\s*\}\s*$/, `,\n  "quantization_config": ${added}\n}\n`);
  }
  return `${JSON.stringify({ ...(values as object), quantization_config: settings, torch_dtype: dtype }, null, 2)}\n`;
}
