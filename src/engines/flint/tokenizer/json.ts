import type { Tokenizer } from "./contract.ts";
import { createAddedCut } from "./json/added.ts";
import type { AddedCut } from "./json/added.ts";
import { readDecoder } from "./json/decode.ts";
import { readWordModel } from "./json/models.ts";
import { readNormalizer } from "./json/normalize.ts";
import type { Normalizer } from "./json/normalize.ts";
import { isByteLevel, readPreTokenizer } from "./json/pre-tokenize.ts";
import { isObject, objectOf } from "./json/read.ts";
import { readJsonRoles } from "./json/roles.ts";
import { readVocabulary } from "./json/vocabulary.ts";
import type { AddedToken } from "./json/vocabulary.ts";
import { findEndTokens } from "./kinds.ts";
import { encodeFragments } from "./model.ts";
import type { TextModel } from "./model.ts";
import { createTokenizer } from "./tokenizer.ts";

/**
 * The tokenizer of a `tokenizer.json` (Hugging Face tokenizers), with `tokenizer_config.json` for the roles of tokens.
 * Throws `model_unsupported` for parts that are not known, and for expressions that could run without bound;
 * `model_malformed` for a vocabulary that contradicts itself. Gives the tokens that Hugging Face's library gives.
 */
export function createJsonTokenizer(tokenizerJson: unknown, config?: unknown): Tokenizer {
  const file = objectOf(tokenizerJson, "tokenizer.json");
  const model = objectOf(file["model"], "model");
  const vocabulary = readVocabulary(file, model);
  const { pieces, kinds, added, unk } = vocabulary;
  const normalize = readNormalizer(file["normalizer"]);
  const { roles, addBos, addEos, addSep } = readJsonRoles({
    file,
    config: isObject(config) ? config : {},
    pieces,
    unk,
  });
  // Here a name means something only if the file says that it is control: `</s>` may be a tag of HTML.
  const controls = new Map(added.filter((token) => token.special).map((token) => [token.text, token.id]));
  const endTokens = findEndTokens((name) => controls.get(name), kinds.slice(), roles);
  const encodeWord = readWordModel(model, vocabulary, isByteLevel(file["pre_tokenizer"]));
  const preTokenize = readPreTokenizer(file["pre_tokenizer"]);
  const cuts = createCuts(added, normalize);
  return createTokenizer({
    pieces,
    kinds,
    roles,
    endTokens,
    addBos,
    addEos,
    addSep,
    ...readDecoder(file["decoder"], vocabulary),
    encode(text, { special, before }, output) {
      const encodeWords: TextModel = (piece, place) => {
        for (const word of preTokenize([piece], place)) encodeWord(word, output);
      };
      const encodePlain: TextModel = (part, place) => {
        const normal = normalize(part, place);
        if (normal === "") return;
        const fragments = cuts.normalized(normal, special);
        encodeFragments(fragments, { before: place, output, encode: encodeWords });
      };
      encodeFragments(cuts.plain(text, special), { before, output, encode: encodePlain });
    },
  });
}

/** Added tokens are found in the text as it is, or in the normalized one, where they are normalized too. */
function createCuts(
  added: readonly AddedToken[],
  normalize: Normalizer,
): { readonly plain: AddedCut; readonly normalized: AddedCut } {
  const plain = added.filter((token) => !token.normalized);
  const normalized = added.filter((token) => token.normalized);
  return {
    plain: createAddedCut(
      plain,
      plain.map((token) => token.text),
    ),
    normalized: createAddedCut(
      normalized,
      normalized.map((token) => normalize(token.text, "nothing")),
    ),
  };
}
