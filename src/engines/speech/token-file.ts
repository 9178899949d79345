import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SpeechFolder } from "../../formats/speech/read.ts";

/** Numbers beyond the vocabulary that a model has: Moonshine has 768 tokens of its own behind those of Llama. */
const extraTokens = 768;

/** Runs `work` with the model's table of tokens, which is made for it where the model has none. */
export function withTokens<T>(folder: SpeechFolder, work: (folder: SpeechFolder) => T): T {
  const { vocabulary, paths } = folder;
  if (vocabulary.length === 0) return work(folder);
  const place = mkdtempSync(join(tmpdir(), "hearth-tokens-"));
  try {
    const tokens = join(place, "tokens.txt");
    const extra = Array.from({ length: extraTokens }, (_, index) => `<<ST_${index}>>`);
    writeFileSync(tokens, [...vocabulary, ...extra].map((token, id) => `${encode(token)} ${id}\n`).join(""));
    // The library reads it before it returns.
    return work({ ...folder, paths: { ...paths, tokens } });
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Base64 of what a token says: SentencePiece writes a blank as `▁`, and a byte that is no character by its number. */
function encode(token: string): string {
  const byte = /^<0x([0-9A-F]{2})>$/.exec(token)?.[1];
  const bytes = byte === undefined ? Buffer.from(token.replaceAll("▁", " ")) : Buffer.from(byte, "hex");
  return bytes.toString("base64");
}
