/** What a language model in ONNX says of itself in the small files beside its weights. */
import { samplingNames, templateKeys } from "../formats/checkpoint/extras.ts";
import type { Capability, ModelInfo } from "../spec/model.ts";
import type { Config } from "./onnx-kind.ts";

export interface GenerateFiles {
  /** Names relative to the folder of the model → paths. */
  readonly paths: ReadonlyMap<string, string>;
  readonly read: (name: string) => Config | undefined;
  /** Whether it has an encoder of pictures. */
  readonly sees: boolean;
}

type Facts = Pick<ModelInfo, "capabilities" | "specialTokens" | "kvBytesPerToken" | "metadata"> &
  Partial<Pick<ModelInfo, "chatTemplate" | "bosToken" | "eosToken">>;

export function describeGenerate(config: Config, { paths, read, sees }: GenerateFiles): Facts {
  const settings = read("tokenizer_config.json") ?? {};
  const found = templateKeys({ name: "", paths }, settings)["tokenizer.chat_template"]?.value;
  const template = typeof found === "string" ? found : templates[String(config["model_type"])];
  const [bosToken, eosToken] = [tokenText(settings["bos_token"]), tokenText(settings["eos_token"])];
  return {
    capabilities: capabilitiesOf(template, sees),
    specialTokens: addedTokens(read("tokenizer.json")),
    kvBytesPerToken: cacheBytes(languageConfig(config)),
    metadata: samplingOf(read("generation_config.json") ?? {}),
    ...(template !== undefined && { chatTemplate: template }),
    ...(bosToken !== undefined && { bosToken }),
    ...(eosToken !== undefined && { eosToken }),
  };
}

/** Of families whose folders have none; a picture stands where it is in the message (https://github.com/vikhyat/moondream). */
const templates: Readonly<Record<string, string>> = {
  moondream1:
    "{% for message in messages %}{% if message['role'] == 'user' %}" +
    "{% if message['content'] is string %}{{ '\\n\\nQuestion: ' + message['content'] }}{% else %}" +
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% endif %}{% endfor %}" +
    "{{ '\\n\\nQuestion: ' }}{% for part in message['content'] %}" +
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}" +
    "{{ '\\n\\nAnswer:' }}{% else %}{{ message['content'] }}{% endif %}{% endfor %}",
};

/** Models that see have the figures of their decoder one level down. */
export function languageConfig(config: Config): Config {
  return objectOf(config["text_config"]) ?? config;
}

function capabilitiesOf(template: string | undefined, sees: boolean): Capability[] {
  const capabilities: Capability[] = ["generate"];
  if (template !== undefined && template.trim() !== "") {
    capabilities.push("chat");
    if (/\btools\b/.test(template)) capabilities.push("tools");
    if (/<think>|enable_thinking|reasoning|<\|channel\|>/.test(template)) capabilities.push("thinking");
  }
  if (sees) capabilities.push("vision");
  return [...capabilities, "infer"];
}

/** Texts of tokens that stand beside the vocabulary, without single characters and white space: those are plain text too. */
function addedTokens(tokenizer: Config | undefined): string[] {
  const added: readonly unknown[] = Array.isArray(tokenizer?.["added_tokens"]) ? tokenizer["added_tokens"] : [];
  return added.flatMap((token) => {
    const text = objectOf(token)?.["content"];
    return typeof text === "string" && text.trim() !== "" && !/^.$/u.test(text) ? [text] : [];
  });
}

function tokenText(value: unknown): string | undefined {
  const text = typeof value === "string" ? value : objectOf(value)?.["content"];
  return typeof text === "string" ? text : undefined;
}

/** Keys and values of a token as the exported decoder keeps them, in 32 bits each. */
function cacheBytes(config: Config): number {
  const integer = (...names: readonly string[]): number => {
    const value = names
      .map((name) => config[name])
      .find((one) => typeof one === "number" && Number.isInteger(one) && one > 0);
    return typeof value === "number" ? value : 0;
  };
  const heads = integer("num_attention_heads", "n_head");
  const width = integer("head_dim") || integer("hidden_size", "n_embd") / Math.max(1, heads);
  return 2 * 4 * integer("num_hidden_layers", "n_layer") * (integer("num_key_value_heads") || heads) * Math.ceil(width);
}

function samplingOf(generation: Config): Readonly<Record<string, number>> {
  if (generation["do_sample"] === false) return {};
  const pairs = samplingNames.flatMap(([key, name]) => {
    const value = generation[name];
    return typeof value === "number" && Number.isFinite(value) && value >= 0
      ? [[`general.sampling.${key}`, value] as const]
      : [];
  });
  return Object.fromEntries(pairs);
}

function objectOf(value: unknown): Config | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Config) : undefined;
}
