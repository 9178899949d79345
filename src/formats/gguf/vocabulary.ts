import { HearthError } from "../../error.ts";
import { booleanOf, failKey, integerOf, numbersOf, stringOf, stringsOf } from "./check.ts";
import { limits } from "./limits.ts";
import { malformed, printable } from "./malformed.ts";
import type { GgufFile, GgufNumbers, GgufStrings } from "./types.ts";

const prefix = "tokenizer.ggml.";

/** Token ids that llama.cpp assumes for a kind of tokenizer where the file gives none. */
interface TokenizerDefaults {
  readonly bos?: number;
  readonly eos?: number;
  readonly separator?: number;
  readonly addBos: boolean;
  readonly addEos: boolean;
}

const defaults: Readonly<Record<string, TokenizerDefaults>> = {
  llama: { bos: 1, eos: 2, addBos: true, addEos: false },
  bert: { bos: 101, separator: 102, addBos: true, addEos: false },
  t5: { eos: 1, addBos: false, addEos: true },
  gpt2: { bos: 11, eos: 11, addBos: false, addEos: false },
};

/** `tokenizer.ggml.token_type` of tokens that stand for one byte. */
const byteType = 6;

/** Checks the arrays of the vocabulary against each other, and the ids of special tokens against its size. */
export function checkVocabulary(gguf: GgufFile): void {
  const model = stringOf(gguf, `${prefix}model`);
  stringOf(gguf, `${prefix}pre`);
  stringOf(gguf, "tokenizer.chat_template");
  integerOf(gguf, `${prefix}token_type_count`, [0, 65_536]);
  const tokens = stringsOf(gguf, `${prefix}tokens`);
  if (model === "none" || model === "no_vocab") {
    throw new HearthError("model_unsupported", `${gguf.name} has no vocabulary of its own.`, {
      hint: "Fetch a version of the model with its tokenizer in the file.",
    });
  }
  if (!tokens) return failKey(gguf, `${prefix}tokens`, "is missing");
  if (tokens.length === 0) failKey(gguf, `${prefix}tokens`, "is empty");
  const types = numbersOf(gguf, `${prefix}token_type`);
  const scores = numbersOf(gguf, `${prefix}scores`);
  checkLength(gguf, "token_type", tokens.length);
  checkLength(gguf, "scores", tokens.length);
  if (scores && Array.prototype.some.call(scores, Number.isNaN)) failKey(gguf, `${prefix}scores`, "holds a NaN");
  checkTokens(gguf, tokens, model === "plamo2");
  if (types) checkByteTokens(gguf, tokens, { types, model });
  if (model === "llama") checkAllBytes(gguf, tokens);
  checkMerges(gguf);
  checkSpecialTokens(gguf, tokens.length, defaults[model ?? ""] ?? { addBos: false, addEos: false });
}

function checkLength(gguf: GgufFile, name: string, tokens: number): void {
  const key = `${prefix}${name}`;
  const length = numbersOf(gguf, key)?.length ?? tokens;
  if (length !== tokens) failKey(gguf, key, `has ${length} elements, but there are ${tokens} tokens`);
}

function isByteToken(text: string): boolean {
  return /^<0x[0-9A-F]{2}>$/.test(text);
}

interface ByteTokens {
  readonly types: GgufNumbers;
  readonly model: string | undefined;
}

function checkByteTokens(gguf: GgufFile, tokens: GgufStrings, { types, model }: ByteTokens): void {
  for (let id = 0; id < tokens.length; id++) {
    if (Number(types[id]) !== byteType) continue;
    if (model === "bert")
      failKey(gguf, `${prefix}token_type`, `says byte for token ${id}; a WordPiece vocabulary has none`);
    if (!isByteToken(tokens.at(id))) failToken(gguf, tokens, id);
  }
}

/** A text with a character that is no token is cut into bytes, and llama.cpp ends the process at one without token. */
function checkAllBytes(gguf: GgufFile, tokens: GgufStrings): void {
  const missing = new Set(Array.from({ length: 256 }, (_, byte) => byte));
  for (let id = 0; id < tokens.length && missing.size > 0; id++) {
    const bytes = tokens.bytes(id);
    if (bytes.length === 1) missing.delete(bytes[0] ?? 0);
    else if (bytes.length === 6 && isByteToken(tokens.at(id)))
      missing.delete(Number.parseInt(tokens.at(id).slice(3, 5), 16));
  }
  const [byte] = missing;
  if (byte !== undefined) {
    const name = `0x${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    failKey(gguf, `${prefix}tokens`, `has no token for the byte ${name}, nor for ${missing.size - 1} others`);
  }
}

function failToken(gguf: GgufFile, tokens: GgufStrings, id: number): never {
  failKey(
    gguf,
    `${prefix}tokens`,
    `has "${printable(tokens.at(id), 20)}" for a byte (token ${id}); it must be like <0x0A>`,
  );
}

/**
 * llama.cpp aborts where two tokens are equal. It ends a token at its first zero byte, and calls the empty ones
 * `[EMPTY_<id>]`.
 */
function checkTokens(gguf: GgufFile, tokens: GgufStrings, byteTokensByForm: boolean): void {
  const seen = new Set<string>();
  for (let id = 0; id < tokens.length; id++) {
    const bytes = tokens.byteLength(id);
    if (bytes > limits.tokenBytes) {
      failKey(gguf, `${prefix}tokens`, `has a token ${id} of ${bytes} bytes; at most ${limits.tokenBytes} are allowed`);
    }
    const text = identity(tokens, id) || `[EMPTY_${id}]`;
    if (seen.has(text)) {
      failKey(gguf, `${prefix}tokens`, `has the token "${printable(text, 20)}" twice, the second time as ${id}`);
    }
    seen.add(text);
    if (byteTokensByForm && bytes === 6 && text.startsWith("<0x") && !isByteToken(text)) failToken(gguf, tokens, id);
  }
}

/** The text up to a zero byte. Bytes that are no UTF-8 are told apart by their values. */
function identity(tokens: GgufStrings, id: number): string {
  const text = tokens.at(id);
  const end = text.indexOf("\0");
  if (!text.includes("\uFFFD")) return end < 0 ? text : text.slice(0, end);
  const bytes = tokens.bytes(id);
  const zero = bytes.indexOf(0);
  const codes = Array.from(zero < 0 ? bytes : bytes.subarray(0, zero), (byte) => String.fromCharCode(byte));
  return `\uFFFD${codes.join("")}`;
}

function checkMerges(gguf: GgufFile): void {
  const merges = stringsOf(gguf, `${prefix}merges`);
  if (!merges) return;
  for (let index = 0; index < merges.length; index++) {
    const bytes = merges.byteLength(index);
    if (bytes > 2 * limits.tokenBytes) {
      failKey(
        gguf,
        `${prefix}merges`,
        `has a merge ${index} of ${bytes} bytes; at most ${2 * limits.tokenBytes} are allowed`,
      );
    }
  }
}

/**
 * The ids that llama.cpp asserts. Others (padding, mask, fill-in-the-middle) it ignores where they are out of range,
 * and real files have -1 there.
 */
function checkSpecialTokens(gguf: GgufFile, tokens: number, assumed: TokenizerDefaults): void {
  const id = (name: string): number | undefined => integerOf(gguf, `${prefix}${name}_token_id`, [0, tokens - 1]);
  const usable = (given: number | undefined, byDefault: number | undefined): boolean =>
    given !== undefined || (byDefault !== undefined && byDefault < tokens);
  const bos = usable(id("bos"), assumed.bos);
  const eos = usable(id("eos"), assumed.eos);
  for (const name of ["eot", "eom", "unknown"]) id(name);
  const addBos = booleanOf(gguf, `${prefix}add_bos_token`) ?? assumed.addBos;
  const addEos = booleanOf(gguf, `${prefix}add_eos_token`) ?? assumed.addEos;
  if (addBos && !bos) failKey(gguf, `${prefix}bos_token_id`, "is missing, but every text starts with that token");
  if (addEos && !eos) failKey(gguf, `${prefix}eos_token_id`, "is missing, but every text ends with that token");
  if (assumed.separator === undefined) return;
  if (!bos) throw missingId(gguf, "bos_token_id");
  const separator = integerOf(gguf, `${prefix}seperator_token_id`, [0, tokens - 1]);
  if (!usable(separator, assumed.separator)) throw missingId(gguf, "seperator_token_id");
}

function missingId(gguf: GgufFile, name: string): Error {
  const offset = gguf.entries.get(`${prefix}model`)?.offset ?? 0;
  return malformed({ name: gguf.name, field: `${prefix}${name}`, offset }, "is missing, but every text has that token");
}
