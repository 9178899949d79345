const units: readonly (readonly [string, number])[] = [
  ["year", 365 * 86_400_000],
  ["month", 30 * 86_400_000],
  ["week", 7 * 86_400_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** `3 days ago`, `in 4 minutes`, `now`. */
export function formatAge(date: Date, now: Date = new Date()): string {
  const ms = now.getTime() - date.getTime();
  for (const [name, size] of units) {
    const count = Math.floor(Math.abs(ms) / size);
    if (count < 1) continue;
    const words = `${count} ${name}${count === 1 ? "" : "s"}`;
    return ms > 0 ? `${words} ago` : `in ${words}`;
  }
  return ms >= 0 ? "now" : "in less than a minute";
}
