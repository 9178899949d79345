/** The vocabulary of Llama as llama-tokenizer-js carries it: a text of base64 among JavaScript, which is read, never run. */
import { readFileSync, statSync } from "node:fs";
import { HearthError } from "../../error.ts";

const mostBytes = 16 * 1024 ** 2;
const mostTokens = 2 ** 17;
/** `<unk>`, `<s>` and `</s>` on lines of their own, in base64. */
const begin = "PHVuaz4KPHM+Cjwvcz4K";

/** Tokens by their numbers. Throws `model_malformed`. */
export function readVocabulary(path: string, name: string): readonly string[] {
  const { size } = statSync(path);
  if (size > mostBytes) throw wrong(name, `has ${size} bytes; at most ${mostBytes} can be`);
  const text = readFileSync(path, "latin1");
  const start = text.indexOf(begin);
  if (start < 0) throw wrong(name, "holds no vocabulary of Llama");
  let end = start;
  while (isBase64(text.charCodeAt(end))) end++;
  const tokens = Buffer.from(text.slice(start, end), "base64").toString("utf8").split("\n");
  if (tokens.length > mostTokens) throw wrong(name, `holds ${tokens.length} tokens; at most ${mostTokens} can be`);
  if (tokens.includes("")) throw wrong(name, "holds a token without text");
  return tokens;
}

/** A letter, a digit, `+`, `/` or `=`. */
function isBase64(code: number): boolean {
  const isLetter = (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
  return isLetter || (code >= 47 && code <= 57) || code === 43 || code === 61;
}

function wrong(name: string, problem: string): HearthError {
  return new HearthError("model_malformed", `${name} ${problem}.`, { details: { field: name } });
}
