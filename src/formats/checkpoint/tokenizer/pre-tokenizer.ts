/** The names that GGUF has for ways to cut a text before byte pairs are merged. */
import { isObject } from "../json.ts";
import type { Json } from "../json.ts";

const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const blanks = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const words = (digits: string): string =>
  String.raw`${contractions}|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|${blanks}`;
const upper = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const lower = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
const before = String.raw`[^\r\n\p{L}\p{N}]?`;
const capitals = (suffix: string, digits: string): string =>
  String.raw`${before}${upper}*${lower}+${suffix}|${before}${upper}+${lower}*${suffix}|${digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${blanks}`;
const gpt2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const threeDigits = String.raw`\p{N}{1,3}`;
const eastAsian = "[一-龥ࠀ-一가-퟿]+";
const deepseek3 =
  String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${"`"}{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|` +
  blanks;

const digits = "digits";
const bytes = "bytes";
const wordBytes = "bytes by words";
const split = (pattern: string): string => `split ${pattern}`;

interface Known {
  readonly steps: readonly string[];
  readonly name: string;
  /** Whether words that are tokens as a whole are not merged. */
  readonly ignoreMerges?: boolean;
  /** Engines put `bos` before a text unless the file says that they must not. */
  readonly addBos?: boolean;
}

const known: readonly Known[] = [
  { steps: [split(words(threeDigits)), bytes], name: "llama-bpe", ignoreMerges: true, addBos: true },
  { steps: [split(words(threeDigits)), bytes], name: "dbrx" },
  { steps: [split(words(String.raw`\p{N}`)), bytes], name: "qwen2" },
  { steps: [wordBytes], name: "gpt-2" },
  { steps: [split(gpt2), bytes], name: "gpt-2" },
  { steps: [digits, wordBytes], name: "smollm" },
  { steps: [split(String.raw`\p{N}`), wordBytes], name: "smollm" },
  { steps: [split(capitals("", String.raw`\p{N}`)), bytes], name: "tekken", ignoreMerges: true, addBos: true },
  { steps: [split(capitals(`${contractions}?`, threeDigits)), bytes], name: "gpt-4o" },
  {
    steps: [split(threeDigits), split("[一-龥぀-ゟ゠-ヿ]+"), split(deepseek3), bytes],
    name: "deepseek-v3",
  },
  {
    steps: [...[String.raw`[\r\n]`, String.raw`\s?\p{L}+`, String.raw`\s?\p{P}+`, eastAsian].map(split), digits, bytes],
    name: "deepseek-coder",
  },
];

/**
 * The name of a way to cut, by `pre_tokenizer`; undefined: it has none here. `ignoreMerges`: `model.ignore_merges`. Patterns
 * are compared as they are written, which is as the authors of the models published them.
 */
export function preTokenizerName(value: unknown, ignoreMerges: boolean): string | undefined {
  const steps = flatten(value, 0);
  return known.find(
    (each) =>
      (each.ignoreMerges ?? false) === ignoreMerges &&
      each.steps.length === steps.length &&
      each.steps.every((step, index) => step === steps[index]),
  )?.name;
}

function flatten(value: unknown, depth: number): readonly string[] {
  if (!isObject(value) || depth > 10) return ["nothing"];
  switch (value["type"]) {
    case "Sequence": {
      const steps = value["pretokenizers"];
      return Array.isArray(steps) ? steps.flatMap((step) => flatten(step, depth + 1)) : ["nothing"];
    }
    case "Split":
      return [splitStep(value)];
    case "Digits":
      return [value["individual_digits"] === true ? digits : "digits together"];
    case "ByteLevel":
      if (value["add_prefix_space"] !== false) return ["bytes with a space before"];
      return [value["use_regex"] === false ? bytes : wordBytes];
    default:
      return [String(value["type"])];
  }
}

/** What the pattern finds stands alone; what is between is a piece too, or there is nothing between. */
function splitStep({ pattern, behavior, invert }: Json): string {
  const regex = isObject(pattern) ? pattern["Regex"] : undefined;
  const isolates = (behavior === "Isolated" && invert !== true) || (behavior === "Removed" && invert === true);
  // Some are written with an escape that means nothing.
  return isolates && typeof regex === "string" ? split(regex.replaceAll('\\"', '"')) : "split in another way";
}

/** Further names in GGUF for ways that have one here. */
const aliases: Readonly<Record<string, string>> = {
  llama3: "llama-bpe",
  "llama-v3": "llama-bpe",
  falcon3: "llama-bpe",
  pixtral: "llama-bpe",
  lfm2: "llama-bpe",
  "smaug-bpe": "dbrx",
  "deepseek-r1-qwen": "qwen2",
  stablelm2: "qwen2",
  megrez: "qwen2",
  hunyuan: "qwen2",
  "solar-open": "qwen2",
  refact: "smollm",
  starcoder: "smollm",
  "command-r": "smollm",
  codeshell: "smollm",
  exaone: "smollm",
  "minerva-7b": "smollm",
  olmo: "gpt-2",
  "phi-2": "gpt-2",
  jais: "gpt-2",
  mpt: "gpt-2",
  "modern-bert": "gpt-2",
  "roberta-bpe": "gpt-2",
  trillion: "gpt-2",
  "granite-docling": "gpt-2",
  exaone4: "gpt-2",
  llama4: "gpt-4o",
  kanana2: "gpt-4o",
  "joyai-llm": "deepseek-v3",
  "hunyuan-dense": "deepseek-v3",
};

function findName(name: string): Known | undefined {
  return known.find((each) => each.name === (aliases[name] ?? name));
}

/** Whether engines put `bos` before a text of such a vocabulary where the file does not say. */
export function addsBos(name: string): boolean {
  return findName(name)?.addBos ?? false;
}

/** `pre_tokenizer` for a name in GGUF; undefined: there are no words for it. */
export function preTokenizerOf(
  name: string,
): { readonly preTokenizer: Json; readonly ignoreMerges: boolean } | undefined {
  const found = findName(name);
  if (!found) return undefined;
  const steps = found.steps.map(toStep);
  const preTokenizer = steps.length === 1 && steps[0] ? steps[0] : { type: "Sequence", pretokenizers: steps };
  return { preTokenizer, ignoreMerges: found.ignoreMerges ?? false };
}

function toStep(step: string): Json {
  const level = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
  if (step === bytes) return { ...level, use_regex: false };
  if (step === wordBytes) return { ...level, use_regex: true };
  if (step === digits) return { type: "Digits", individual_digits: true };
  return { type: "Split", pattern: { Regex: step.slice(split("").length) }, behavior: "Isolated", invert: false };
}
