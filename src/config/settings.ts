/** The settings table: one row per setting gives its flag, environment variable, default, parser and text. */
import type { Device, KvType } from "../spec/engine.ts";
import { kvTypes } from "../spec/engine.ts";
import type { OverflowPolicy } from "../spec/sampling.ts";
import {
  parseBoolean,
  parseBytes,
  parseDuration,
  parseInteger,
  parseList,
  parseOneOf,
  parsePort,
  parseText,
} from "./values.ts";

export interface Settings {
  readonly data: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly apiKey: string | undefined;
  readonly apiKeyFile: string | undefined;
  readonly allowHost: readonly string[];
  readonly allowOrigin: readonly string[];
  readonly bodyLimit: number;
  readonly defaultModel: string;
  readonly device: Device;
  readonly context: number | undefined;
  readonly parallel: number | undefined;
  readonly threads: number | undefined;
  readonly kvTypeK: KvType | undefined;
  readonly kvTypeV: KvType | undefined;
  readonly flashAttention: "auto" | "on" | "off";
  readonly gpuLayers: string | undefined;
  readonly keepAlive: number;
  readonly memory: number | undefined;
  readonly maxLoaded: number;
  readonly queue: number;
  readonly overflow: OverflowPolicy;
  readonly drain: number;
  readonly hub: string;
  readonly hubToken: string | undefined;
  readonly hubTimeout: number;
  readonly ollamaRegistry: string;
  readonly connections: number;
  readonly offline: boolean;
}

export interface SettingRow<T> {
  readonly flag: string;
  readonly env: string;
  /** Other names that are read when `env` is not set, e.g. those of peers. */
  readonly alsoEnv?: readonly string[];
  readonly default: T;
  readonly parse: (text: string, name: string) => T;
  readonly text: string;
}

type Table = { readonly [Name in keyof Settings]: SettingRow<Settings[Name]> };

const optional = undefined;
const kvType = parseOneOf(kvTypes);

export const settingsTable: Table = {
  data: row("data", "HEARTH_DATA", optional, parseText, "folder of models, engines and state"),
  host: row("host", "HEARTH_HOST", "127.0.0.1", parseText, "address the server binds"),
  port: row("port", "HEARTH_PORT", 11_535, parsePort, "port the server binds; 0 takes a free one"),
  apiKey: row(
    "api-key",
    "HEARTH_API_KEY",
    optional,
    parseText,
    "key that callers must send; better in the environment or a file than as a flag",
  ),
  apiKeyFile: row("api-key-file", "HEARTH_API_KEY_FILE", optional, parseText, "file with one key a line"),
  allowHost: row("allow-host", "HEARTH_ALLOW_HOST", [], parseList, "further Host names to answer to, comma-separated"),
  allowOrigin: row(
    "allow-origin",
    "HEARTH_ALLOW_ORIGIN",
    [],
    parseList,
    "web origins that may call the server, comma-separated",
  ),
  bodyLimit: row("body-limit", "HEARTH_BODY_LIMIT", 64 * 1024 ** 2, parseBytes, "largest request body"),
  defaultModel: row("default-model", "HEARTH_MODEL", "tinyllama", parseText, "model of a plain `hearth`"),
  device: row<Device>(
    "device",
    "HEARTH_DEVICE",
    "auto",
    parseOneOf(["auto", "cpu", "cuda", "vulkan", "metal"]),
    "where models run",
  ),
  context: row("context", "HEARTH_CONTEXT", optional, parseInteger, "tokens of one sequence, prompt and answer"),
  parallel: row("parallel", "HEARTH_PARALLEL", optional, parseInteger, "sequences that run at once in one model"),
  threads: row("threads", "HEARTH_THREADS", optional, parseInteger, "CPU threads for computing"),
  kvTypeK: row<KvType | undefined>("kv-type-k", "HEARTH_KV_TYPE_K", optional, kvType, "type of the cached keys"),
  kvTypeV: row<KvType | undefined>("kv-type-v", "HEARTH_KV_TYPE_V", optional, kvType, "type of the cached values"),
  flashAttention: row<"auto" | "on" | "off">(
    "flash-attention",
    "HEARTH_FLASH_ATTENTION",
    "auto",
    parseOneOf(["auto", "on", "off"]),
    "flash attention",
  ),
  gpuLayers: row("gpu-layers", "HEARTH_GPU_LAYERS", optional, parseText, "layers on the GPU: a number, auto or max"),
  keepAlive: row("keep-alive", "HEARTH_KEEP_ALIVE", 300_000, parseDuration, "how long an idle model stays loaded"),
  memory: row(
    "memory",
    "HEARTH_MEMORY",
    optional,
    parseBytes,
    "memory budget of all loaded models; default: what is free, less a reserve",
  ),
  maxLoaded: row("max-loaded", "HEARTH_MAX_LOADED", 8, parseInteger, "most models loaded at once"),
  queue: row("queue", "HEARTH_QUEUE", 512, parseInteger, "most requests that wait; more get 503"),
  overflow: row<OverflowPolicy>(
    "overflow",
    "HEARTH_OVERFLOW",
    "error",
    parseOneOf(["error", "truncate-oldest", "truncate-middle"]),
    "what happens to a prompt that does not fit",
  ),
  drain: row("drain", "HEARTH_DRAIN", 30_000, parseDuration, "how long running requests may go on after SIGTERM"),
  hub: row("hub", "HEARTH_HUB", "https://huggingface.co", parseText, "base URL of the model hub", ["HF_ENDPOINT"]),
  hubToken: row("hub-token", "HEARTH_HUB_TOKEN", optional, parseText, "token for private models", [
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
  ]),
  hubTimeout: row(
    "hub-timeout",
    "HEARTH_HUB_TIMEOUT",
    3000,
    parseDuration,
    "how long a source may take to answer before the next is tried",
  ),
  ollamaRegistry: row(
    "ollama-registry",
    "HEARTH_OLLAMA_REGISTRY",
    "https://registry.ollama.ai",
    parseText,
    "base URL of the Ollama registry",
  ),
  connections: row("connections", "HEARTH_CONNECTIONS", 4, parseInteger, "ranges of one file that are fetched at once"),
  offline: row("offline", "HEARTH_OFFLINE", false, parseBoolean, "open no outgoing connection"),
};

function row<T>(
  flag: string,
  env: string,
  initial: T,
  parse: SettingRow<T>["parse"],
  text: string,
  alsoEnv: readonly string[] = [],
): SettingRow<T> {
  return { flag, env, alsoEnv, default: initial, parse, text };
}
