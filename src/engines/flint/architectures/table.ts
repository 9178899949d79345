import type { Architecture } from "./architecture.ts";
import { bert } from "./bert.ts";
import { gemma } from "./gemma.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import { granite, granitemoe } from "./granite.ts";
import { exaone, llama, smollm3 } from "./llama.ts";
import { modernBert } from "./modern-bert.ts";
import { nomicBert } from "./nomic-bert.ts";
import { olmo2 } from "./olmo2.ts";
import { phi3 } from "./phi3.ts";
import { qwen2, qwen2moe, qwen2vl } from "./qwen2.ts";
import { qwen3, qwen3moe } from "./qwen3.ts";
import { stablelm } from "./stablelm.ts";

/** All architectures, by each name of `general.architecture`. */
export const architectures: ReadonlyMap<string, Architecture> = new Map(
  [
    llama,
    smollm3,
    exaone,
    qwen2,
    qwen2moe,
    qwen2vl,
    qwen3,
    qwen3moe,
    gemma,
    gemma2,
    gemma3,
    phi3,
    granite,
    granitemoe,
    olmo2,
    stablelm,
    bert,
    nomicBert,
    modernBert,
  ].flatMap((architecture) => architecture.names.map((name) => [name, architecture] as const)),
);

export function findArchitecture(name: string): Architecture | undefined {
  return architectures.get(name);
}
