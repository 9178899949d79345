/** The settings table: one row per setting gives its flag, environment variable, default, parser and text. */
import type { Device, EngineName, KvType } from "../spec/engine.ts";
import { devices, kvTypes, loadQuantizations } from "../spec/engine.ts";
import type { OverflowPolicy } from "../spec/sampling.ts";
import {
  parseBoolean,
  parseBytes,
  parseBytesOrOff,
  parseCount,
  parseDuration,
  parseDurationOrNever,
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
  readonly engine: EngineName | "auto";
  readonly device: Device;
  readonly context: number | undefined;
  readonly parallel: number | undefined;
  readonly threads: number | undefined;
  readonly kvTypeK: KvType | undefined;
  readonly kvTypeV: KvType | undefined;
  readonly flashAttention: "auto" | "on" | "off";
  readonly gpuLayers: string | undefined;
  readonly quantize: "off" | "q4" | "q8";
  readonly cacheTokens: number | undefined;
  readonly speculation: "auto" | "off";
  readonly draft: string | undefined;
  readonly diskCache: number | undefined;
  readonly keepAlive: number;
  readonly sleepAfter: number;
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
  data: row("data", optional, parseText, "folder of models, engines and state"),
  host: row("host", "127.0.0.1", parseText, "address the server binds"),
  port: row("port", 11_535, parsePort, "port the server binds; 0 takes a free one"),
  apiKey: row(
    "api-key",
    optional,
    parseText,
    "key that callers must send; better in the environment or a file than as a flag",
  ),
  apiKeyFile: row(
    "api-key-file",
    optional,
    parseText,
    "file with one key a line; with `batch` after it, its requests wait for all others unless they say otherwise",
  ),
  allowHost: row("allow-host", [], parseList, "further Host names to answer to, comma-separated"),
  allowOrigin: row("allow-origin", [], parseList, "web origins that may call the server, comma-separated"),
  bodyLimit: row("body-limit", 64 * 1024 ** 2, parseBytes, "largest request body"),
  defaultModel: row("default-model", "tinyllama", parseText, "model of a plain `hearth`"),
  engine: row<Settings["engine"]>("engine", "auto", parseOneOf(["auto", "flint", "llama"]), "what runs the models"),
  device: row<Device>("device", "auto", parseOneOf(devices), "where models run"),
  context: row("context", optional, parseInteger, "tokens of one sequence, prompt and answer"),
  parallel: row("parallel", optional, parseInteger, "sequences that run at once in one model"),
  threads: row("threads", optional, parseInteger, "CPU threads for computing"),
  kvTypeK: row<KvType | undefined>("kv-type-k", optional, kvType, "type of the cached keys"),
  kvTypeV: row<KvType | undefined>("kv-type-v", optional, kvType, "type of the cached values"),
  flashAttention: row<"auto" | "on" | "off">(
    "flash-attention",
    "auto",
    parseOneOf(["auto", "on", "off"]),
    "flash attention",
  ),
  gpuLayers: row("gpu-layers", optional, parseText, "layers on the GPU: a number, auto or max"),
  quantize: row<"off" | "q4" | "q8">(
    "quantize",
    "off",
    parseOneOf(["off", ...loadQuantizations]),
    "bits that the weights of SafeTensors models get while they are loaded, where they are not quantized yet",
  ),
  cacheTokens: row(
    "cache-tokens",
    optional,
    parseCount,
    "tokens that the cache of all sequences together holds; default: a whole context for each, less where memory is short",
  ),
  speculation: row<"auto" | "off">(
    "speculation",
    "auto",
    parseOneOf(["auto", "off"]),
    "guessing tokens ahead where that pays; the output does not change",
  ),
  draft: row(
    "draft",
    optional,
    parseText,
    "a smaller model with the same vocabulary, by name or path, that guesses ahead for the models that generate text",
  ),
  diskCache: row(
    "disk-cache",
    optional,
    parseBytesOrOff,
    "most bytes of computed prompts that each engine keeps on disk, past restarts; off: none; default: a tenth of what the disk has free, 10 GiB at most",
  ),
  keepAlive: row("keep-alive", 300_000, parseDuration, "how long an idle model stays loaded"),
  sleepAfter: row(
    "sleep-after",
    60_000,
    parseDurationOrNever,
    "when an idle model gives its memory back until the next request, where its engine can (flint); off: never, as with a time not under that of --keep-alive",
  ),
  memory: row(
    "memory",
    optional,
    parseBytes,
    "memory budget of all loaded models; default: what is free, less a reserve",
  ),
  maxLoaded: row("max-loaded", 8, parseInteger, "most models loaded at once"),
  queue: row(
    "queue",
    512,
    parseInteger,
    "most requests that wait; more get 503, or 429 where one key has most of them",
  ),
  overflow: row<OverflowPolicy>(
    "overflow",
    "error",
    parseOneOf(["error", "truncate-oldest", "truncate-middle"]),
    "what happens to a prompt that does not fit",
  ),
  drain: row("drain", 30_000, parseDuration, "how long running requests may go on after SIGTERM"),
  hub: { ...row("hub", "https://huggingface.co", parseText, "base URL of the model hub"), alsoEnv: ["HF_ENDPOINT"] },
  hubToken: {
    ...row("hub-token", optional, parseText, "token for private models"),
    alsoEnv: ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"],
  },
  hubTimeout: row("hub-timeout", 3000, parseDuration, "how long a source may take to answer before the next is tried"),
  ollamaRegistry: row("ollama-registry", "https://registry.ollama.ai", parseText, "base URL of the Ollama registry"),
  connections: row("connections", 4, parseInteger, "ranges of one file that are fetched at once"),
  offline: row("offline", false, parseBoolean, "open no outgoing connection"),
};

/** The environment variable is the flag in capitals: `keep-alive` is HEARTH_KEEP_ALIVE. */
function row<T>(flag: string, initial: T, parse: SettingRow<T>["parse"], text: string): SettingRow<T> {
  return { flag, env: `HEARTH_${flag.toUpperCase().replaceAll("-", "_")}`, default: initial, parse, text };
}
