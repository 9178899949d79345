/** Digits that a JSON number may have here: all integers below 10^15 are exact as numbers, and more. */
const maxDigits = 16;

/** Grammar for the decimal integers from `from` to `to`, either of which may be infinite, without leading zeros. */
export function integerRange(from: number, to: number): string {
  const options: string[] = [];
  if (from < 0) options.push(...natural(Math.max(1, -to), -from).map((option) => `"-" ${option}`));
  if (to >= 0) options.push(...natural(Math.max(0, from), to));
  return options.join(" | ");
}

/** One option for each number of digits; without an upper bound one for all numbers that are longer. */
function natural(least: number, most: number): string[] {
  const low = digitsOf(least);
  const open = most > Number.MAX_SAFE_INTEGER;
  const high = open ? "9".repeat(low.length) : digitsOf(most);
  const options: string[] = [];
  for (let length = low.length; length <= high.length; length++) {
    const first = length === low.length ? low : `1${"0".repeat(length - 1)}`;
    options.push(sameLength(first, length === high.length ? high : "9".repeat(length)));
  }
  if (open && low.length < maxDigits) options.push(`[1-9] [0-9]{${low.length},${maxDigits - 1}}`);
  return options;
}

/** Bounds beyond 2^53 are cut to it: then there are fewer numbers, all of them valid. */
function digitsOf(value: number): string {
  return String(Math.min(value, Number.MAX_SAFE_INTEGER));
}

/** Two numbers of equal length: their common digits, then what lies between the first two that differ. */
function sameLength(low: string, high: string): string {
  if (low === "") return '""';
  if (/^0+$/.test(low) && /^9+$/.test(high)) return `[0-9]{${low.length}}`;
  const [first = "0", last = "0"] = [low[0], high[0]];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  if (first === last) return lowRest === "" ? `"${first}"` : `"${first}" ${sameLength(lowRest, highRest)}`;
  if (lowRest === "") return `[${first}-${last}]`;
  const options = [
    `"${first}" ${sameLength(lowRest, "9".repeat(lowRest.length))}`,
    `"${last}" ${sameLength("0".repeat(highRest.length), highRest)}`,
  ];
  const [after, before] = [Number(first) + 1, Number(last) - 1];
  if (after <= before) options.push(`[${after}-${before}] [0-9]{${lowRest.length}}`);
  return `(${options.join(" | ")})`;
}
