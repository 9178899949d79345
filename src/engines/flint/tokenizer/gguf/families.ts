import { cuts } from "./patterns.ts";
import type { Stage } from "../split.ts";

/** How the texts of a family of byte-pair vocabularies are cut before the merges, and what else goes with the name. */
export interface Family {
  readonly stages: readonly Stage[];
  /** A piece that is a token as a whole is not merged. */
  readonly ignoreMerges?: boolean;
  /** `bos` goes before every text unless the metadata says otherwise. */
  readonly addBos?: boolean;
  /** It does so whatever the metadata says. */
  readonly alwaysBos?: boolean;
  /** The family has no `bos` unless the metadata names one. */
  readonly noBos?: boolean;
  /** Tokens are text with U+2581 for the space, not byte characters. */
  readonly plain?: boolean;
  /** Runs of newlines that are a token as a whole are not merged. */
  readonly wholeNewlines?: boolean;
}

const llama3: Family = { stages: cuts.llama3, ignoreMerges: true, addBos: true };
const gpt2: Family = { stages: cuts.gpt2 };
const qwen2: Family = { stages: cuts.qwen2 };
const digits: Family = { stages: cuts.digits };
const deepseek3: Family = { stages: cuts.deepseek3 };
const gpt4o: Family = { stages: cuts.gpt4o };
const bailing: Family = { stages: cuts.bailing };
const gemma4: Family = { stages: cuts.lines, plain: true, wholeNewlines: true, alwaysBos: true };
const aya: Family = { stages: cuts.aya };
const glm: Family = { stages: cuts.llama3, noBos: true };

/** By `tokenizer.ggml.pre`. */
export const families: Readonly<Record<string, Family>> = {
  default: { stages: cuts.default },
  "a.x-4.0": gpt2,
  afmoe: { stages: cuts.afmoe },
  bailingmoe: bailing,
  bailingmoe2: bailing,
  bloom: { stages: cuts.bloom },
  chameleon: { stages: cuts.chameleon, addBos: true },
  "chatglm-bpe": glm,
  codeshell: digits,
  cohere2moe: aya,
  "command-r": digits,
  dbrx: { stages: cuts.llama3 },
  "deepseek-coder": { stages: cuts.deepseekCoder },
  "deepseek-llm": { stages: cuts.deepseekLlm },
  "deepseek-r1-qwen": qwen2,
  "deepseek-v3": deepseek3,
  exaone: digits,
  "exaone-moe": { stages: cuts.exaoneMoe },
  exaone4: gpt2,
  f2llmv2: qwen2,
  falcon: { stages: cuts.falcon },
  "falcon-h1": llama3,
  falcon3: llama3,
  gemma4,
  gigachat: gpt2,
  glm4: glm,
  "gpt-2": gpt2,
  "gpt-4o": gpt4o,
  "gpt3-finnish": { stages: cuts.bloom },
  "granite-docling": gpt2,
  "granite-embed-multi-311m": gemma4,
  "granite-embed-multi-97m": { stages: cuts.granite, ignoreMerges: true },
  "grok-2": qwen2,
  hunyuan: qwen2,
  "hunyuan-dense": deepseek3,
  hy_v4: deepseek3,
  jais: gpt2,
  "jais-2": { stages: cuts.jais2 },
  "jina-de": gpt2,
  "jina-es": gpt2,
  "jina-v1-en": gpt2,
  "jina-v2-code": gpt2,
  "jina-v2-de": gpt2,
  "jina-v2-es": gpt2,
  "jina-v5-nano": llama3,
  "joyai-llm": deepseek3,
  kanana2: gpt4o,
  "kimi-k2": { stages: cuts.kimi },
  kormo: qwen2,
  laguna: { stages: cuts.laguna },
  lfm2: llama3,
  "llada-moe": bailing,
  "llama-bpe": llama3,
  "llama-v3": llama3,
  llama3,
  llama4: gpt4o,
  megrez: qwen2,
  mellum: gpt2,
  mellum2: digits,
  "midm-2.0": llama3,
  "minerva-7b": digits,
  minicpm5: { stages: cuts.minicpm5, ignoreMerges: true },
  "minimax-m2": gpt4o,
  "modern-bert": gpt2,
  mpt: gpt2,
  olmo: gpt2,
  "phi-2": gpt2,
  pixtral: llama3,
  "poro-chat": { stages: cuts.bloom },
  qwen2,
  qwen35: { stages: cuts.qwen35 },
  refact: digits,
  "roberta-bpe": gpt2,
  "sarvam-moe": { stages: cuts.lines, plain: true },
  "seed-coder": { stages: cuts.seed },
  "smaug-bpe": { stages: cuts.llama3 },
  smollm: digits,
  "solar-open": qwen2,
  spark2_5: { stages: cuts.spark },
  stablelm2: qwen2,
  starcoder: digits,
  superbpe: { stages: cuts.superbpe },
  talkie: gpt4o,
  tekken: { stages: cuts.tekken, ignoreMerges: true, addBos: true },
  tiny_aya: aya,
  trillion: gpt2,
  ufakzeka: { stages: cuts.ufakzeka },
  viking: { stages: cuts.viking },
  youtu: { stages: cuts.youtu, ignoreMerges: true },
};
