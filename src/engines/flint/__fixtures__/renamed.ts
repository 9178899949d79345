import type { GgufContent, GgufTypedValue } from "../../../formats/gguf/encode.ts";
import { parseGguf } from "../../../formats/gguf/parse.ts";
import type { GgufFile, GgufValue } from "../../../formats/gguf/types.ts";
import { isGgufArray } from "../../../formats/gguf/types.ts";
import { modelBytes } from "../../../../test/make-model.ts";

/** The same model under the name of another architecture, with further keys. */
export function renamed(
  bytes: Uint8Array<ArrayBuffer>,
  architecture: string,
  keys: GgufContent["metadata"],
): Uint8Array<ArrayBuffer> {
  const { metadata: known, tensors } = contentOf(bytes);
  const old = parseGguf(bytes).metadata.get("general.architecture") as string;
  const own = (key: string): string => (key.startsWith(`${old}.`) ? architecture + key.slice(old.length) : key);
  const metadata = Object.fromEntries(Object.entries(known).map(([key, value]) => [own(key), value]));
  const name = { "general.architecture": { type: "string", value: architecture } } as const;
  return modelBytes({ metadata: { ...metadata, ...name, ...keys }, tensors });
}

function contentOf(bytes: Uint8Array<ArrayBuffer>): GgufContent {
  const file = parseGguf(bytes);
  const tensors = file.tensors.map(({ name, shape, typeName, offset, sizeBytes }) => {
    const start = file.dataOffset + offset;
    return { name, shape, type: typeName, data: bytes.subarray(start, start + sizeBytes) };
  });
  const metadata = [...file.metadata].map(([key, value]) => [key, typedValue(file, key, value)] as const);
  return { metadata: Object.fromEntries(metadata), tensors };
}

function typedValue({ entries }: GgufFile, key: string, value: GgufValue): GgufTypedValue {
  if (isGgufArray(value)) {
    const of = value.type;
    return { type: "array", of, value: value.type === "string" ? value.strings : value.numbers } as GgufTypedValue;
  }
  // The reader gave it as the type of its entry is.
  return { type: entries.get(key)?.type, value } as GgufTypedValue;
}

/** A language model of Gemma 3 and its projector as Ollama's converter makes one file of them. */
export function combinedGemma(language: Uint8Array<ArrayBuffer>, projector: Uint8Array<ArrayBuffer>): GgufContent {
  const [text, vision] = [contentOf(language), contentOf(projector)];
  const figures = Object.entries(vision.metadata).flatMap(([key, value]) => {
    const figure = /^clip\.vision\.(image_size|patch_size|embedding_length|feed_forward_length|block_count|attention\..*)$/;
    const name = figure.exec(key)?.[1];
    return name === undefined ? [] : [[`gemma3.vision.${name}`, value] as const];
  });
  const rows = { "gemma3.mm.tokens_per_image": { type: "uint32", value: 4 } } as const;
  const renamedTensors = vision.tensors.map((tensor) => ({ ...tensor, name: ollamaName(tensor.name) }));
  return {
    metadata: { ...text.metadata, ...Object.fromEntries(figures), ...rows },
    tensors: [...text.tensors, ...renamedTensors].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function ollamaName(name: string): string {
  return name
    .replace("v.patch_embd", "v.patch_embedding")
    .replace("v.position_embd", "v.position_embedding")
    .replace("v.post_ln", "v.post_layernorm")
    .replace(/\.ln([12])\./, ".layer_norm$1.")
    .replace(".attn_out.", ".attn_output.")
    .replace(".ffn_up.", ".mlp.fc1.")
    .replace(".ffn_down.", ".mlp.fc2.")
    .replace("mm.", "mm.mm_");
}
