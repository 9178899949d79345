import { integerOf, integersOf } from "../formats/gguf/check.ts";
import type { GgufFile } from "../formats/gguf/types.ts";

/** Architectures that read a whole text at once, keep no cache and give a vector. */
const encoders: ReadonlySet<string> = new Set([
  "bert",
  "modern-bert",
  "nomic-bert",
  "nomic-bert-moe",
  "neo-bert",
  "jina-bert-v2",
  "jina-bert-v3",
  "eurobert",
  "gemma-embedding",
  "llama-embed",
  "t5encoder",
]);

export function isEncoder(architecture: string): boolean {
  return encoders.has(architecture);
}

/**
 * Bytes of keys and values that one token adds to the cache, at 2 bytes each. An upper bound where layers look back
 * on a window only.
 */
export function cacheBytesPerToken(gguf: GgufFile, architecture: string): number {
  const key = (name: string): string => `${architecture}.${name}`;
  const integer = (name: string): number | undefined => integerOf(gguf, key(name), [0, 2 ** 31]);
  const layers = integer("block_count") ?? 0;
  const heads = integersOf(gguf, key("attention.head_count"), [0, 2 ** 31]) ?? 0;
  const cached = integersOf(gguf, key("attention.head_count_kv"), [0, 2 ** 31]) ?? heads;
  const embedding = integer("embedding_length") ?? 0;
  let bytes = 0;
  for (let layer = 0; layer < layers; layer++) {
    const headCount = at(heads, layer);
    const byDefault = headCount > 0 ? Math.floor(embedding / headCount) : 0;
    const keyLength = integer("attention.key_length") ?? byDefault;
    const valueLength = integer("attention.value_length") ?? byDefault;
    bytes += at(cached, layer) * (keyLength + valueLength) * 2;
  }
  return bytes;
}

function at(value: number | readonly number[], layer: number): number {
  return typeof value === "number" ? value : (value[layer] ?? 0);
}
