import { control, stripLeft, stripRight, unknown, userDefined } from "../kinds.ts";
import type { GgufMetadata } from "./metadata.ts";
import type { Pieces } from "../pieces.ts";

/**
 * White space that belongs to a special token. GGUF does not say it, so llama.cpp knows it by the names of models.
 * Changes `kinds`.
 */
export function markStripping(metadata: GgufMetadata, pieces: Pieces, kinds: Uint8Array): void {
  const text = (key: string): string => {
    const value = metadata.get(key);
    return typeof value === "string" ? value : "";
  };
  const mark = (token: string, bit: number): void => {
    const id = pieces.findText(token);
    if (id >= 0) kinds[id] = (kinds[id] ?? 0) | bit;
  };
  const name = text("general.name").toLowerCase();
  const leftMask =
    /jina-v2-(de|es|code)/.test(text("tokenizer.ggml.pre")) ||
    /nomic-bert-moe|jina-bert-v3/.test(text("general.architecture"));
  if (leftMask) mark("<mask>", stripLeft);
  else if (/phi-?3/.test(name)) {
    for (const [id, kind] of kinds.entries()) {
      if (kind & (control | unknown | userDefined)) kinds[id] = kind | stripRight;
    }
    mark("</s>", stripRight);
    for (const token of ["<unk>", "<s>", "<|endoftext|>"]) {
      const id = pieces.findText(token);
      if (id >= 0) kinds[id] = (kinds[id] ?? 0) & ~stripRight;
    }
  } else if (name.includes("modern-bert")) mark("[MASK]", stripLeft);
}
