/** Counters, gauges and histograms in the text format of Prometheus, version 0.0.4. */
import { countOf, createHistogram, type Histogram as Buckets, type HistogramData } from "../util/histogram.ts";

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(value?: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/** One value of a metric that has several. */
export interface Sample<T = number> {
  readonly labels: Labels;
  readonly value: T;
}

export interface Registry {
  counter(name: string, help: string): Counter;
  /** `buckets`: upper bounds, rising. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram;
  /** Read when the text is asked for. */
  gauge(name: string, help: string, read: () => number | readonly Sample[]): void;
  /** A counter that somebody else keeps. */
  total(name: string, help: string, read: () => number | readonly Sample[]): void;
  /** Histograms that somebody else keeps. */
  histograms(name: string, help: string, read: () => readonly Sample<HistogramData>[]): void;
  text(): string;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  lines(): readonly string[];
}

export function createRegistry(): Registry {
  const metrics: Metric[] = [];
  const readable =
    (type: "counter" | "gauge") => (name: string, help: string, read: () => number | readonly Sample[]) =>
      void metrics.push({ name, help, type, lines: () => sampleLines(name, read()) });
  const histograms: Registry["histograms"] = (name, help, read) =>
    void metrics.push({ name, help, type: "histogram", lines: () => read().flatMap((one) => bucketLines(name, one)) });
  return {
    counter(name, help) {
      const values = new Map<string, number>();
      metrics.push({ name, help, type: "counter", lines: () => series(name, values) });
      return { add: (value = 1, labels = {}) => increase(values, formatLabels(labels), value) };
    },
    histogram(name, help, buckets) {
      const states = new Map<string, { readonly labels: Labels; readonly histogram: Buckets }>();
      histograms(name, help, () =>
        [...states.values()].map(({ labels, histogram }) => ({ labels, value: histogram.read() })),
      );
      return {
        observe(value, labels = {}) {
          const key = formatLabels(labels);
          const state = states.get(key) ?? { labels, histogram: createHistogram(buckets) };
          states.set(key, state);
          state.histogram.observe(value);
        },
      };
    },
    gauge: readable("gauge"),
    total: readable("counter"),
    histograms,
    text() {
      const lines = metrics.flatMap((metric) => [
        `# HELP ${metric.name} ${metric.help}`,
        `# TYPE ${metric.name} ${metric.type}`,
        ...metric.lines(),
      ]);
      return `${lines.join("\n")}\n`;
    },
  };
}

function sampleLines(name: string, samples: number | readonly Sample[]): readonly string[] {
  const all = typeof samples === "number" ? [{ labels: {}, value: samples }] : samples;
  return all.map(({ labels, value }) => `${name}${formatLabels(labels)} ${formatValue(value)}`);
}

/** Buckets count what the ones before them hold too. */
function bucketLines(name: string, { labels, value }: Sample<HistogramData>): readonly string[] {
  const { bounds, counts, sum } = value;
  let below = 0;
  const buckets = bounds.map((bound, index) => {
    below += counts[index] ?? 0;
    return `${name}_bucket${formatLabels({ ...labels, le: String(bound) })} ${below}`;
  });
  const count = countOf(value);
  return [
    ...buckets,
    `${name}_bucket${formatLabels({ ...labels, le: "+Inf" })} ${count}`,
    `${name}_sum${formatLabels(labels)} ${formatValue(sum)}`,
    `${name}_count${formatLabels(labels)} ${count}`,
  ];
}

function increase(values: Map<string, number>, key: string, by: number): void {
  values.set(key, (values.get(key) ?? 0) + by);
}

function series(name: string, values: ReadonlyMap<string, number>): readonly string[] {
  return [...values].map(([labels, value]) => `${name}${labels} ${formatValue(value)}`);
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function formatValue(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
