// Writes SafeTensors checkpoints for tests.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { dataBytes, encodeSafetensorsHeader } from "../src/formats/safetensors/encode.ts";
import type { SafetensorsType } from "../src/formats/safetensors/types.ts";

export interface TestTensor {
  readonly dtype: SafetensorsType;
  readonly shape: readonly number[];
  /** Default: zeros. */
  readonly data?: Uint8Array;
}

export function safetensorsBytes(tensors: Readonly<Record<string, TestTensor>>): Uint8Array {
  const entries = Object.entries(tensors).map(([name, tensor]) => ({ name, ...tensor }));
  return Buffer.concat([
    encodeSafetensorsHeader(entries),
    ...entries.map((each) => each.data ?? new Uint8Array(dataBytes(each))),
  ]);
}

/** Writes files into a folder that is gone when the test is over; objects become JSON. */
export function writeFiles(
  files: Readonly<Record<string, Uint8Array | string | object>>,
  folder: string = temporaryFolder(),
): string {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    const isText = typeof content === "string" || content instanceof Uint8Array;
    writeFileSync(path, isText ? content : JSON.stringify(content));
  }
  return folder;
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "hearth-checkpoint-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const sizes = { hidden: 32, heads: 2, keyHeads: 1, feedForward: 48, vocabulary: 264, layers: 2 };

export const tinyConfig: Readonly<Record<string, unknown>> = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: sizes.hidden,
  intermediate_size: sizes.feedForward,
  num_attention_heads: sizes.heads,
  num_key_value_heads: sizes.keyHeads,
  num_hidden_layers: sizes.layers,
  vocab_size: sizes.vocabulary,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  hidden_act: "silu",
  tie_word_embeddings: false,
  bos_token_id: 256,
  eos_token_id: 257,
};

/** Letters for bytes, as GPT-2 writes them; 256 and 257 are control tokens. */
export const tinyTokenizer: Readonly<Record<string, unknown>> = {
  added_tokens: ["<s>", "</s>"].map((content, index) => ({ id: 256 + index, content, special: true })),
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: "ByteLevel" },
  model: { type: "BPE", vocab: Object.fromEntries(byteLetters().map((letter, id) => [letter, id])), merges: [] },
};

function byteLetters(): string[] {
  let extra = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCodePoint(prints ? byte : 256 + extra++);
  });
}

/** The tensors of a llama whose values count up, so that every one is different. */
export function tinyTensors(dtype: "F32" | "F16" | "BF16" = "F32"): Record<string, TestTensor> {
  const { hidden, heads, keyHeads, feedForward, vocabulary, layers } = sizes;
  const width = hidden / heads;
  const shapes: Record<string, readonly number[]> = {
    "model.embed_tokens.weight": [vocabulary, hidden],
    "model.norm.weight": [hidden],
    "lm_head.weight": [vocabulary, hidden],
  };
  for (let layer = 0; layer < layers; layer++) {
    const name = `model.layers.${layer}`;
    shapes[`${name}.input_layernorm.weight`] = [hidden];
    shapes[`${name}.post_attention_layernorm.weight`] = [hidden];
    shapes[`${name}.self_attn.q_proj.weight`] = [heads * width, hidden];
    shapes[`${name}.self_attn.k_proj.weight`] = [keyHeads * width, hidden];
    shapes[`${name}.self_attn.v_proj.weight`] = [keyHeads * width, hidden];
    shapes[`${name}.self_attn.o_proj.weight`] = [hidden, heads * width];
    shapes[`${name}.mlp.gate_proj.weight`] = [feedForward, hidden];
    shapes[`${name}.mlp.up_proj.weight`] = [feedForward, hidden];
    shapes[`${name}.mlp.down_proj.weight`] = [hidden, feedForward];
  }
  let start = 1;
  const made = Object.entries(shapes).map(([name, shape]): [string, TestTensor] => {
    const data = new Uint8Array(dataBytes({ dtype, shape }));
    const view = new DataView(data.buffer);
    const bytes = dtype === "F32" ? 4 : 2;
    for (let at = 0; at < data.length; at += bytes) {
      // Small halves, whatever the type: their bits are all that counts.
      if (bytes === 4) view.setFloat32(at, ((start++ % 8191) - 4096) / 4096, true);
      else view.setUint16(at, 0x2000 + (start++ % 4096), true);
    }
    return [name, { dtype, shape, data }];
  });
  return Object.fromEntries(made);
}

/** A whole tiny folder; entries of `files` replace or, with undefined, remove its own. */
export function makeCheckpoint(files: Readonly<Record<string, Uint8Array | string | object | undefined>> = {}): string {
  const all: Record<string, Uint8Array | string | object | undefined> = {
    "config.json": tinyConfig,
    "tokenizer.json": tinyTokenizer,
    "model.safetensors": safetensorsBytes(tinyTensors()),
    ...files,
  };
  const present = Object.entries(all).filter(
    (entry): entry is [string, Uint8Array | string | object] => entry[1] !== undefined,
  );
  return writeFiles(Object.fromEntries(present));
}
