import { integerOf } from "../formats/gguf/check.ts";
import type { GgufFile } from "../formats/gguf/types.ts";
import type { Capability, ModelInfo } from "../spec/model.ts";
import { isEncoder } from "./kv.ts";
import { fillTokens } from "./special-tokens.ts";

type Pooling = NonNullable<ModelInfo["pooling"]>;
const poolings: readonly Pooling[] = ["none", "mean", "cls", "last", "rank"];

/** How the vectors of a text's tokens become one: what the file says, mean for encoders that say nothing. */
export function poolingOf(gguf: GgufFile, architecture: string): Pooling | undefined {
  const type = integerOf(gguf, `${architecture}.pooling_type`, [-1, poolings.length - 1]);
  return poolings[type ?? -1] ?? (isEncoder(architecture) ? "mean" : undefined);
}

/** Text diffusion models: their tokens do not come one after the other. */
const diffusion: ReadonlySet<string> = new Set(["dream", "llada", "llada-moe", "rnd1"]);

const fillIds = ["fim_pre_token_id", "prefix_token_id"];

export interface CapabilityFacts {
  readonly gguf: GgufFile;
  readonly architecture: string;
  readonly pooling: Pooling | undefined;
  readonly template: string | undefined;
  /** Texts of the special tokens. */
  readonly special: readonly string[];
}

/** What a model can do. Models made for embedding or reranking do only that. */
export function capabilitiesOf({ gguf, architecture, pooling, template, special }: CapabilityFacts): Capability[] {
  if (pooling === "rank") return ["rerank"];
  if (isEncoder(architecture) || (pooling !== undefined && pooling !== "none")) return ["embed"];
  if (diffusion.has(architecture)) return [];
  const capabilities: Capability[] = ["generate"];
  if (template !== undefined && template.trim() !== "") {
    capabilities.push("chat");
    if (/\btools\b/.test(template)) capabilities.push("tools");
    if (/<think>|enable_thinking|reasoning|<\|channel\|>/.test(template)) capabilities.push("thinking");
  }
  const fills = fillIds.some((name) => gguf.metadata.has(`tokenizer.ggml.${name}`));
  if (fills || fillTokens.some((token) => special.includes(token))) capabilities.push("insert");
  return capabilities;
}
