/** How often values fell between bounds: small to keep, to send, and to subtract from a later state. */
export interface HistogramData {
  /** Upper bounds, rising. A value that equals a bound is under it. */
  readonly bounds: readonly number[];
  /** Values of each bucket, not of those before it; one more than bounds, the last for what is over all of them. */
  readonly counts: readonly number[];
  readonly sum: number;
}

export interface Histogram {
  /** Counts a value, `times` over. */
  observe(value: number, times?: number): void;
  /** A copy of what was counted so far. */
  read(): HistogramData;
}

export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = Array.from({ length: bounds.length + 1 }, () => 0);
  let sum = 0;
  return {
    observe(value, times = 1) {
      const found = bounds.findIndex((bound) => value <= bound);
      const bucket = found === -1 ? bounds.length : found;
      counts[bucket] = (counts[bucket] ?? 0) + times;
      sum += value * times;
    },
    read: () => ({ bounds, counts: [...counts], sum }),
  };
}

export function countOf({ counts }: HistogramData): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** What was counted between two states of one histogram. */
export function subtract(later: HistogramData, earlier: HistogramData): HistogramData {
  const counts = later.counts.map((count, bucket) => count - (earlier.counts[bucket] ?? 0));
  return { bounds: later.bounds, counts, sum: later.sum - earlier.sum };
}

/**
 * The value under which this share of the values is, 0 to 1, as if those of a bucket lay evenly in it (like
 * `histogram_quantile` of Prometheus). For values over the last bound it is that bound; undefined without any.
 */
export function percentile(data: HistogramData, share: number): number | undefined {
  const { bounds, counts } = data;
  const rank = share * countOf(data);
  if (rank === 0) return undefined;
  let below = 0;
  for (const [bucket, upper] of bounds.entries()) {
    const count = counts[bucket] ?? 0;
    if (count > 0 && below + count >= rank) {
      const lower = bounds[bucket - 1] ?? 0;
      return lower + ((upper - lower) * (rank - below)) / count;
    }
    below += count;
  }
  return bounds.at(-1);
}
