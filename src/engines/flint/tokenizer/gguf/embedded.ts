/** A vocabulary whose way to cut texts has no name in GGUF: its tokenizer.json stands in the metadata. */
import { HearthError } from "../../../../error.ts";
import type { Tokenizer } from "../contract.ts";
import { createJsonTokenizer } from "../json.ts";
import { control, userDefined } from "../kinds.ts";
import type { VocabularyData } from "../vocabulary.ts";
import { openVocabulary } from "../vocabulary.ts";
import type { GgufMetadata } from "./metadata.ts";
import { readKeys } from "./metadata.ts";

/** The text of tokenizer.json; undefined: the keys of GGUF say all. */
export function embeddedTokenizer(metadata: GgufMetadata): string | undefined {
  const text = metadata.get("tokenizer.huggingface.json");
  return typeof text === "string" && !metadata.has("tokenizer.ggml.pre") ? text : undefined;
}

export interface EmbeddedTokenizer extends Tokenizer {
  readonly vocabulary: VocabularyData;
}

/** The tokenizer of that file, with the roles that the keys of GGUF give, and as many tokens as they have. */
export function createEmbeddedTokenizer(metadata: GgufMetadata, text: string): EmbeddedTokenizer {
  const keys = readKeys(metadata);
  const texts = keys.strings("tokens");
  const role = (name: string): string | undefined => {
    const id = keys.integer(`${name}_token_id`);
    return id === undefined ? undefined : texts?.at(id);
  };
  const read = createJsonTokenizer(parse(text), {
    bos_token: role("bos"),
    eos_token: role("eos"),
    pad_token: role("padding"),
    cls_token: role("cls"),
    sep_token: role("seperator"),
    mask_token: role("mask"),
    add_bos_token: keys.boolean("add_bos_token"),
    add_eos_token: keys.boolean("add_eos_token"),
  });
  const further = ["eos", "eot", "eom"].flatMap((name) => keys.integer(`${name}_token_id`) ?? []);
  const tokenizer = { ...read, endTokens: new Set([...read.endTokens, ...further]) };
  const vocabulary = readVocabulary(tokenizer, texts?.length ?? tokenizer.size);
  const { tokenBytes, isControl, size } = openVocabulary(vocabulary);
  return { ...tokenizer, size, tokenBytes, isControl, decode: (ids) => decode(tokenizer, ids), vocabulary };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HearthError("model_malformed", "The vocabulary: tokenizer.huggingface.json is not JSON.", {
      cause: error,
    });
  }
}

/** Rows of the embeddings beyond the last token say nothing. */
function decode(tokenizer: Tokenizer, ids: readonly number[]): string {
  return tokenizer.decode(ids.filter((id) => id < tokenizer.size));
}

function readVocabulary(tokenizer: Tokenizer, size: number): VocabularyData {
  const pieces: Uint8Array[] = [];
  const starts = new Uint32Array(size + 1);
  // What a token says is decoded already: as with user-defined tokens nothing is replaced in it.
  const kinds = new Uint8Array(size).fill(userDefined);
  for (let id = 0; id < size; id++) {
    const bytes = id < tokenizer.size ? tokenizer.tokenBytes(id) : new Uint8Array(0);
    pieces.push(bytes);
    starts[id + 1] = (starts[id] ?? 0) + bytes.length;
    if (id >= tokenizer.size || tokenizer.isControl(id)) kinds[id] = control;
  }
  return { bytes: concat(pieces, starts[size] ?? 0), starts, kinds, byteLevel: false, endTokens: tokenizer.endTokens };
}

function concat(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
