/** Grammar for the decimal integers from `from` to `to`, without leading zeros; bounds beyond 2^53 are cut to it. */
export function integerRange(from: number, to: number): string {
  const least = Math.max(from, -Number.MAX_SAFE_INTEGER);
  const most = Math.min(to, Number.MAX_SAFE_INTEGER);
  const options: string[] = [];
  if (least < 0) options.push(...natural(Math.max(1, -most), -least).map((option) => `"-" ${option}`));
  if (most >= 0) options.push(...natural(Math.max(0, least), most));
  return options.join(" | ");
}

/** One option for each number of digits. */
function natural(least: number, most: number): string[] {
  const options: string[] = [];
  for (let digits = String(least).length; digits <= String(most).length; digits++) {
    const low = digits === String(least).length ? String(least) : `1${"0".repeat(digits - 1)}`;
    const high = digits === String(most).length ? String(most) : "9".repeat(digits);
    options.push(sameLength(low, high));
  }
  return options;
}

/** Two numbers of equal length: their common digits, then what lies between the first two that differ. */
function sameLength(low: string, high: string): string {
  if (low === "") return '""';
  if (/^0+$/.test(low) && /^9+$/.test(high)) return `[0-9]{${low.length}}`;
  const [first = "0", last = "0"] = [low[0], high[0]];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  if (first === last) return lowRest === "" ? `"${first}"` : `"${first}" ${sameLength(lowRest, highRest)}`;
  if (lowRest === "") return `[${first}-${last}]`;
  const between =
    Number(last) - Number(first) > 1 ? [`[${Number(first) + 1}-${Number(last) - 1}] [0-9]{${lowRest.length}}`] : [];
  const options = [
    `"${first}" ${sameLength(lowRest, "9".repeat(lowRest.length))}`,
    ...between,
    `"${last}" ${sameLength("0".repeat(highRest.length), highRest)}`,
  ];
  return `(${options.join(" | ")})`;
}
