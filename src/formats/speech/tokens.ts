/** The tables of tokens beside models of speech: a token and its number on each line. */
import { readFileSync, statSync } from "node:fs";
import { HearthError } from "../../error.ts";

const mostBytes = 16 * 1024 ** 2;
const mostTokens = 2 ** 20;

/**
 * How many tokens there are. Throws `model_malformed` for a line without a number, and where a number between is missing
 * that the model could give (`complete`).
 */
export function checkTokens(path: string, name: string, complete: boolean): number {
  const { size } = statSync(path);
  if (size > mostBytes) throw wrong(name, `has ${size} bytes; at most ${mostBytes} can be a table of tokens`);
  const seen = new Set<number>();
  let most = -1;
  for (const [index, line] of readFileSync(path, "latin1").split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    // A token can be a blank itself.
    const number = Number(/\s(\d{1,7})\s*$/.exec(line)?.[1] ?? Number.NaN);
    if (!(number < mostTokens)) throw wrong(name, `has no number of a token in line ${index + 1}`);
    seen.add(number);
    most = Math.max(most, number);
  }
  if (seen.size === 0) throw wrong(name, "has no tokens");
  if (complete && seen.size !== most + 1)
    throw wrong(name, `has ${seen.size} different numbers, and the greatest is ${most}`);
  return seen.size;
}

function wrong(name: string, problem: string): HearthError {
  return new HearthError("model_malformed", `${name} ${problem}.`, { details: { field: name } });
}
