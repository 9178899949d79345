/** What stands beside the weights: chat templates, sampling, pooling. */
import type { GgufTypedValue } from "../gguf/encode.ts";
import { float, text, uint } from "./family.ts";
import type { CheckpointFiles } from "./files.ts";
import { isObject, malformed, readJsonFile, readText } from "./json.ts";
import type { Json } from "./json.ts";

type Values = Record<string, GgufTypedValue>;

const templateKey = "tokenizer.chat_template";

/** Templates by name, from files of their own, else from tokenizer_config.json; the one called `default` is the template. */
export function templateKeys({ paths }: CheckpointFiles, settings: Json): Values {
  const templates = new Map<string, string>();
  const own = paths.get("chat_template.jinja");
  const json = paths.get("chat_template.json");
  addTemplates(templates, settings["chat_template"]);
  if (json !== undefined) addTemplates(templates, readJsonFile(json, "chat_template.json")["chat_template"]);
  if (own !== undefined) templates.set("default", readText(own, "chat_template.jinja"));
  for (const [name, path] of paths) {
    const found = /^additional_chat_templates\/([\w-]+)\.jinja$/.exec(name)?.[1];
    if (found !== undefined) templates.set(found, readText(path, name));
  }
  const keys: Values = {};
  const main = templates.get("default");
  if (main !== undefined) keys[templateKey] = text(main);
  const names = [...templates.keys()].filter((name) => name !== "default");
  for (const name of names) keys[`${templateKey}.${name}`] = text(templates.get(name) ?? "");
  if (names.length > 0) keys["tokenizer.chat_templates"] = { type: "array", of: "string", value: names };
  return keys;
}

function addTemplates(templates: Map<string, string>, value: unknown): void {
  if (typeof value === "string") templates.set("default", value);
  if (!Array.isArray(value)) return;
  for (const entry of value as readonly unknown[]) {
    const { name, template } = isObject(entry) ? entry : {};
    if (typeof name !== "string" || typeof template !== "string" || !/^[\w-]{1,64}$/.test(name)) {
      throw malformed("tokenizer_config.json", "chat_template", "is a list with something that is no named template");
    }
    templates.set(name, template);
  }
}

/** Key of GGUF → name in generation_config.json. */
export const samplingNames: readonly (readonly [key: string, name: string, whole: boolean])[] = [
  ["temp", "temperature", false],
  ["top_k", "top_k", true],
  ["top_p", "top_p", false],
  ["min_p", "min_p", false],
  ["penalty_repeat", "repetition_penalty", false],
];

/** What the authors sample with, unless they do not. */
export function samplingKeys(generation: Json): Values {
  const keys: Values = {};
  if (generation["do_sample"] === false) return keys;
  for (const [key, name, whole] of samplingNames) {
    const value = generation[name];
    if (typeof value !== "number" || !Number.isFinite(value) || value < 0) continue;
    keys[`general.sampling.${key}`] = whole ? { type: "int32", value: Math.round(value) } : float(value);
  }
  return keys;
}

/** Name and license, from the lines between `---` at the start of a model card. */
export function cardKeys({ paths }: CheckpointFiles): { readonly name: string | undefined; readonly keys: Values } {
  const path = paths.get("README.md");
  const front = path === undefined ? undefined : /^---\r?\n([^]*?)\r?\n---/.exec(readText(path, "README.md"))?.[1];
  const read = (key: string): string | undefined => {
    const value = new RegExp(`^${key}:[ \\t]*(.{1,200}?)[ \\t\\r]*$`, "m").exec(front ?? "")?.[1];
    return value?.replace(/^(["'])(.*)\1$/, "$2") || undefined;
  };
  const license = read("license");
  return { name: read("model_name"), keys: license === undefined ? {} : { "general.license": text(license) } };
}

const poolings = [
  ["pooling_mode_mean_tokens", 1],
  ["pooling_mode_cls_token", 2],
  ["pooling_mode_lasttoken", 3],
] as const;

/** How one vector is made of those of the tokens, by `1_Pooling/config.json` of sentence-transformers. */
export function readPooling({ paths }: CheckpointFiles): GgufTypedValue | undefined {
  const name = "1_Pooling/config.json";
  const path = paths.get(name);
  if (path === undefined) return undefined;
  const values = readJsonFile(path, name);
  const found = poolings.find(([key]) => values[key] === true)?.[1];
  if (found === undefined) throw malformed(name, "pooling_mode", "is none of mean, cls and last token");
  return uint(found);
}

/** Of rerankers and classifiers. */
export const rankPooling: GgufTypedValue = uint(4);
