import { printable } from "../../../formats/gguf/malformed.ts";
import type { Tokenizer } from "./contract.ts";
import { malformed, unsupported } from "./fail.ts";
import { createEmbeddedTokenizer, embeddedTokenizer } from "./gguf/embedded.ts";
import { families } from "./gguf/families.ts";
import type { Family } from "./gguf/families.ts";
import { bytePairModel, sentencePieceModel, unigramModel, wordPieceModel } from "./gguf/models.ts";
import type { ModelSource } from "./gguf/models.ts";
import { byteToken, control, findEndTokens, normal, unknown, unused, userDefined } from "./kinds.ts";
import type { Roles } from "./kinds.ts";
import { readKeys, tokenTexts } from "./gguf/metadata.ts";
import type { GgufMetadata, TokenizerKeys } from "./gguf/metadata.ts";
import { encodeFragments } from "./model.ts";
import type { TextModel } from "./model.ts";
import { createPartition } from "./partition.ts";
import { createPieces } from "./pieces.ts";
import { readRoles } from "./gguf/roles.ts";
import { markStripping } from "./gguf/stripping.ts";
import { createTokenizer } from "./tokenizer.ts";
import type { VocabularyData } from "./vocabulary.ts";
import { openVocabulary } from "./vocabulary.ts";

/** What a kind of vocabulary, `tokenizer.ggml.model`, is without further words. */
interface VocabularyKind {
  /** Roles of tokens where the file does not tell them. */
  readonly roles: Partial<Roles>;
  readonly addBos: boolean;
  readonly alwaysBos?: boolean;
  readonly addEos: boolean;
  readonly addSep?: boolean;
  readonly spaceBefore?: boolean;
  /** Tokens are written in byte characters; otherwise with U+2581 for the space. */
  readonly byteLevel?: boolean;
  readonly create: (source: ModelSource) => TextModel;
}

const fixedKinds: Readonly<Record<string, VocabularyKind>> = {
  llama: {
    roles: { bos: 1, eos: 2, unk: 0 },
    addBos: true,
    addEos: false,
    spaceBefore: true,
    create: sentencePieceModel,
  },
  bert: {
    roles: { bos: 101, sep: 102, pad: 0, unk: 100, mask: 103 },
    addBos: true,
    addEos: false,
    addSep: true,
    create: wordPieceModel,
  },
  t5: { roles: { eos: 1, unk: 2, pad: 0 }, addBos: false, addEos: true, create: unigramModel },
};

/** Families whose texts also end with `sep`: they are encoders. */
const separated: ReadonlySet<string> = new Set(["jina-v1-en", "jina-v2-code", "roberta-bpe"]);

function kindOf(keys: TokenizerKeys): VocabularyKind {
  const model = keys.string("model");
  if (model === undefined) throw malformed("model", "is missing");
  const fixed = Object.hasOwn(fixedKinds, model) ? fixedKinds[model] : undefined;
  if (fixed) return fixed;
  if (model !== "gpt2" && model !== "gemma4")
    throw unsupported("model", `is "${printable(model, 40)}", which is not known`);
  const name = model === "gemma4" ? "gemma4" : keys.string("pre") || "default";
  const family = Object.hasOwn(families, name) ? families[name] : undefined;
  if (!family) throw unsupported("pre", `is "${printable(name, 40)}", which is not known`);
  return bytePairKind(name, family, model === "gemma4");
}

/** Whether the kind of vocabulary is known; throws as `createGgufTokenizer` does, without looking at any token. */
export function checkVocabularyKind(metadata: GgufMetadata): void {
  if (embeddedTokenizer(metadata) !== undefined) return;
  kindOf(readKeys(metadata));
}

function bytePairKind(name: string, family: Family, bare: boolean): VocabularyKind {
  return {
    roles: bare ? {} : family.noBos ? { eos: 11 } : { bos: 11, eos: 11 },
    addBos: family.addBos ?? false,
    alwaysBos: family.alwaysBos ?? false,
    addEos: false,
    addSep: separated.has(name),
    byteLevel: !family.plain,
    create: (source) => bytePairModel(source, family),
  };
}

export interface GgufTokenizer extends Tokenizer {
  /** For threads that only read tokens. */
  readonly vocabulary: VocabularyData;
}

/**
 * The tokenizer of a GGUF file that `formats/` has accepted. Throws `model_unsupported` for a kind of vocabulary or a
 * family that is not known, `model_malformed` for one that contradicts itself. Gives the tokens that llama.cpp gives.
 */
export function createGgufTokenizer(metadata: GgufMetadata): GgufTokenizer {
  const embedded = embeddedTokenizer(metadata);
  if (embedded !== undefined) return createEmbeddedTokenizer(metadata, embedded);
  const keys = readKeys(metadata);
  const kind = kindOf(keys);
  const tokens = keys.strings("tokens");
  if (!tokens || tokens.length === 0) throw malformed("tokens", "is missing or empty");
  const pieces = createPieces(tokenTexts(tokens));
  const kinds = readKinds(keys, pieces.size);
  const roles = readRoles(keys, kind.roles, pieces.size);
  const spaceBefore = keys.boolean("add_space_prefix") ?? kind.spaceBefore ?? false;
  const model = kind.create({ keys, pieces, kinds: kinds.slice(), unknown: roles.unk, spaceBefore });
  const endTokens = findEndTokens((name) => optionalId(pieces.findText(name)), kinds, roles);
  markStripping(metadata, pieces, kinds);
  const partition = createPartition(pieces, kinds);
  const { bytes, starts } = pieces;
  const vocabulary = { bytes, starts, kinds, byteLevel: kind.byteLevel ?? false, endTokens };
  const tokenizer = createTokenizer({
    pieces,
    kinds,
    roles,
    endTokens,
    ...readAdditions(keys, kind),
    encode: (text, { special, before }, output) =>
      encodeFragments(partition(text, special), { before, output, encode: model }),
    tokenBytes: openVocabulary(vocabulary).tokenBytes,
    trim: (text) => (spaceBefore && text.startsWith(" ") ? text.slice(1) : text),
  });
  return { ...tokenizer, vocabulary };
}

function optionalId(id: number): number | undefined {
  return id < 0 ? undefined : id;
}

function readAdditions(
  keys: TokenizerKeys,
  kind: VocabularyKind,
): { readonly addBos: boolean; readonly addEos: boolean; readonly addSep: boolean } {
  return {
    addBos: kind.alwaysBos || (keys.boolean("add_bos_token") ?? kind.addBos),
    addEos: keys.boolean("add_eos_token") ?? kind.addEos,
    addSep: keys.boolean("add_sep_token") ?? kind.addSep ?? false,
  };
}

/** `tokenizer.ggml.token_type`. */
const kindsByType: readonly number[] = [0, normal, unknown, control, userDefined, unused, byteToken];

function readKinds(keys: TokenizerKeys, size: number): Uint8Array {
  const types = keys.numbers("token_type");
  if (!types) return new Uint8Array(size).fill(normal);
  if (types.length !== size) throw malformed("token_type", `has ${types.length} elements for ${size} tokens`);
  return Uint8Array.from({ length: size }, (_, id) => kindsByType[Number(types[id])] ?? 0);
}
