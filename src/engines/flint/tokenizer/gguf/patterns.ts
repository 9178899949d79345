import type { Stage } from "../split.ts";

// The patterns are those of the models' own tokenizer.json, with the deviations that llama.cpp has: it knows no cases
// but those of ASCII, and where it has no category it takes spaces beyond ASCII for U+000B.

const lowerContractions = "'s|'t|'re|'ve|'m|'ll|'d";
const contractions = "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]";
const spaces = String.raw`\s+(?!\S)|\s+`;
const newlinesAndSpaces = String.raw`\s*[\r\n]+|${spaces}`;
const gpt2 = String.raw`${lowerContractions}| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|${spaces}`;

/** Words with one other character in front of them, up to `digits` digits together, and symbols. */
function words(digits: string, rest: string = newlinesAndSpaces): string {
  return String.raw`${contractions}|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|${rest}`;
}

/** Words in which capitals come first. */
function capitalWords(letters: string, { suffix = "", digits = String.raw`\p{N}` } = {}): string {
  const upper = `[${letters}&&[^a-z]]`;
  const lower = `[${letters}&&[^A-Z]]`;
  const before = String.raw`[^\r\n\p{L}\p{N}]?`;
  const both = `${before}${upper}*${lower}+${suffix}|${before}${upper}+${lower}*${suffix}`;
  return String.raw`${both}|${digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${newlinesAndSpaces}`;
}

const threeDigits = String.raw`\p{N}{1,3}`;
const oneDigit = String.raw`\p{N}`;
const asciiSymbol = "[!-/:-@\\[-`{-~]";
const deepseekBefore = String.raw`${asciiSymbol}[A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+`;
const deepseek3 = String.raw`${deepseekBefore}[\r\n]*|${newlinesAndSpaces}`;
const kana = String.raw`[\u4e00-\u9fa5\u3040-\u30ff]+`;
const optionalContraction = `(?:${contractions})?`;
/** Words of any case with their marks. */
const markedWords = String.raw`[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+${optionalContraction}`;
const eastAsian = String.raw`[\u0800-\u9fa5\uac00-\ud7ff&&\S]+`;
const bloom = String.raw` ?[^(\s|.,!?…。，、।۔،)]+`;
const lines = String.raw`[^\n]+|[\n]+`;

/** Letters that have two cases, as the vocabulary of DeepSeek LLM lists them. */
const casedLetters = [
  String.raw`A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af`,
  String.raw`\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5`,
  String.raw`\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba`,
  String.raw`\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45`,
  String.raw`\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe`,
  String.raw`\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102`,
  String.raw`\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139`,
  String.raw`\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3`,
  String.raw`\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06`,
  String.raw`\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}`,
  String.raw`\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943}`,
].join("");

const halvingSpaces = [512, 256, 128, 64, 32, 16, 8, 4, "1,2"].map((count) => String.raw`\s{${count}}(?!\S)`).join("|");

const han = String.raw`\u4e00-\u9fff\u3400-\u4dbf\x{20000}-\x{2a6df}\x{2a700}-\x{2ebef}\uf900-\ufaff\x{2f800}-\x{2fa1f}`;
const kimiWords = String.raw`[${han}]+|[^\r\n\p{L}\p{N}]?[\p{L}&&[^${han}]]+${optionalContraction}`;

// One range of this family was meant to start at U+F900 and does at U+8C48, which looks the same.
const afmoeScripts =
  String.raw`[\u3400-\u4dbf\u4e00-\ufaff\u3040-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0eff\u1780-\u17ff\u1000-\u109f` +
  String.raw`\uaa60-\uaa7f\ua9e0-\ua9ff\u1100-\u11ff]+`;

const youtuScripts =
  String.raw`[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+|` +
  String.raw`[\u3105-\u312f]+|${kana}`;

/** Names are those of the model that was first. */
export type CutName =
  | "default"
  | "gpt2"
  | "digits"
  | "llama3"
  | "qwen2"
  | "qwen35"
  | "jais2"
  | "deepseekLlm"
  | "deepseekCoder"
  | "deepseek3"
  | "spark"
  | "youtu"
  | "falcon"
  | "bloom"
  | "viking"
  | "tekken"
  | "gpt4o"
  | "granite"
  | "chameleon"
  | "aya"
  | "kimi"
  | "superbpe"
  | "bailing"
  | "seed"
  | "ufakzeka"
  | "afmoe"
  | "laguna"
  | "exaoneMoe"
  | "minicpm5"
  | "lines";

/** Ways to cut a text; several names of vocabularies share one. */
export const cuts: Readonly<Record<CutName, readonly Stage[]>> = {
  default: [String.raw`[\p{P}$+<=>^~|]+`, gpt2, String.raw`\p{N}+`, "[0-9][0-9][0-9]"],
  gpt2: [gpt2],
  digits: [oneDigit, gpt2],
  llama3: [words(threeDigits)],
  qwen2: [words(oneDigit)],
  qwen35: [
    String.raw`${contractions}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|${newlinesAndSpaces}`,
  ],
  jais2: [words(threeDigits, String.raw`\s*[\r\n]+|${halvingSpaces}|\s`)],
  deepseekLlm: [
    String.raw`[\r\n]`,
    String.raw`\s?[${casedLetters}]+`,
    String.raw`\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3001\u3002]+`,
    String.raw`\s+$`,
    eastAsian,
    String.raw`\p{N}+`,
  ],
  deepseekCoder: [String.raw`[\r\n]`, String.raw`\s?\p{L}+`, String.raw`\s?\p{P}+`, eastAsian, oneDigit],
  deepseek3: [threeDigits, kana, deepseek3],
  spark: [threeDigits, kana, String.raw`${deepseekBefore}|[\r\n]|${spaces}`, oneDigit],
  youtu: [youtuScripts, String.raw`${markedWords}|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${newlinesAndSpaces}`],
  falcon: [String.raw`[\p{P}$+<=>^~|${"`"}]+`, gpt2, "[0-9][0-9][0-9]"],
  bloom: [bloom],
  viking: [bloom, oneDigit],
  tekken: [capitalWords(String.raw`\p{L}`)],
  gpt4o: [capitalWords(String.raw`\p{L}`, { suffix: optionalContraction, digits: threeDigits })],
  granite: [capitalWords(String.raw`\p{L}\p{M}`, { suffix: optionalContraction, digits: threeDigits })],
  chameleon: [
    "<sentinel:[0-9]+>",
    "IMGIMG[A-I]{1,4}Z",
    String.raw`[\t\n]|    |  `,
    oneDigit,
    String.raw`[\p{P}!-/:-@\[-${"`"}{-~]`,
    gpt2,
  ],
  aya: [
    { group: "numbers" },
    String.raw`${markedWords}|${threeDigits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${newlinesAndSpaces}`,
  ],
  kimi: [String.raw`${kimiWords}|${threeDigits}| ?[^\s\p{L}\p{N}]+[\r\n]*|${newlinesAndSpaces}`],
  superbpe: [String.raw`\p{N}+`, { group: "ascii" }],
  bailing: [
    String.raw`'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|${spaces}`,
  ],
  seed: [String.raw`${contractions}|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|${newlinesAndSpaces}`],
  ufakzeka: [String.raw`[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|${newlinesAndSpaces}`],
  afmoe: [{ group: "numbers" }, afmoeScripts, deepseek3],
  laguna: [lines, words(oneDigit)],
  exaoneMoe: [
    String.raw`${contractions}|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|${spaces}`,
  ],
  minicpm5: [threeDigits, words(String.raw`\p{N}+`)],
  lines: [lines],
};
