import type { History, TokenBytes } from "./history.ts";
import { byteString } from "./history.ts";
import type { DryPlan } from "./plan.ts";

/** Beyond this exponent of e a 32-bit float is infinite. */
const mostExponent = 88.7228391;
let lengths: Int32Array = new Int32Array(1024);

/**
 * DRY: tokens that would lengthen a repetition of `allowedLength` tokens or more, and what their logits lose:
 * multiplier × base ^ (length − allowedLength). Takes time that grows with the tokens looked back on.
 */
export function repetitions(
  { tokens, length, sinceBreaker }: History,
  { multiplier, base, allowedLength, lastTokens, breakers }: DryPlan,
  bytesOf: TokenBytes,
): Map<number, number> {
  const window = tokens.subarray(Math.max(0, length - lastTokens), length);
  const most = Math.min(sinceBreaker, window.length);
  const longest = new Map<number, number>();
  if (most < allowedLength) return longest;
  const shared = sharedEndings(window);
  for (let back = 1; back < window.length; back++) {
    const repeated = Math.min(shared[back] ?? 0, most);
    if (repeated < allowedLength) continue;
    const next = window[window.length - back] ?? 0;
    longest.set(next, Math.max(longest.get(next) ?? 0, repeated));
  }
  const limit = base > 1.000001 ? mostExponent / Math.log(base) : Infinity;
  for (const [token, repeated] of longest) {
    const bytes = byteString(bytesOf(token));
    if (breakers.some((breaker) => bytes.includes(breaker))) longest.delete(token);
    else longest.set(token, multiplier * base ** Math.min(repeated - allowedLength, limit));
  }
  return longest;
}

/**
 * For each `back`: how many tokens the window and the window without its last `back` tokens have in common at their
 * ends. The Z algorithm (Gusfield, "Algorithms on Strings", 1997), read from the end.
 */
function sharedEndings(window: Int32Array): Int32Array {
  const { length } = window;
  if (lengths.length < length) lengths = new Int32Array(length * 2);
  const fromEnd = (index: number): number => window[length - 1 - index] ?? -1;
  let [left, right] = [0, 0];
  for (let back = 1; back < length; back++) {
    let same = back < right ? Math.min(right - back, lengths[back - left] ?? 0) : 0;
    while (back + same < length && fromEnd(same) === fromEnd(back + same)) same++;
    lengths[back] = same;
    if (back + same > right) [left, right] = [back, back + same];
  }
  return lengths;
}
