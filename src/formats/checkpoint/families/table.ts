import type { Family } from "../family.ts";
import { olmo2, phi3, stablelm } from "./decoders.ts";
import { bert, modernBert, nomicBert, roberta } from "./encoders.ts";
import { gemma, gemma2, gemma3 } from "./gemma.ts";
import { granite, granitemoe } from "./granite.ts";
import { ernie45, llama, smollm3, xverse } from "./llama.ts";
import { exaone, internlm2 } from "./others.ts";
import { qwen2, qwen2moe, qwen3, qwen3moe } from "./qwen.ts";

const families: readonly Family[] = [
  llama,
  smollm3,
  xverse,
  ernie45,
  exaone,
  internlm2,
  qwen2,
  qwen2moe,
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
  roberta,
  nomicBert,
  modernBert,
];

/** By the names in `architectures` of config.json. */
export const familiesByClass: ReadonlyMap<string, Family> = new Map(
  families.flatMap((family) => family.classes.map((name) => [name, family] as const)),
);

/** By `general.architecture`; of two the first one. */
export const familiesByArchitecture: ReadonlyMap<string, Family> = new Map(
  families.toReversed().map((family) => [family.architecture, family]),
);
