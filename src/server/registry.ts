/** Counters, gauges and histograms in the text format of Prometheus, version 0.0.4. */

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(value?: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface Registry {
  counter(name: string, help: string): Counter;
  /** `buckets`: upper bounds, rising. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram;
  /** Read when the text is asked for. */
  gauge(name: string, help: string, read: () => number): void;
  /** A counter that somebody else keeps. */
  total(name: string, help: string, read: () => number): void;
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
  const readable = (type: "counter" | "gauge") => (name: string, help: string, read: () => number) => {
    metrics.push({ name, help, type, lines: () => [`${name} ${formatValue(read())}`] });
  };
  return {
    counter(name, help) {
      const values = new Map<string, number>();
      metrics.push({ name, help, type: "counter", lines: () => series(name, values) });
      return { add: (value = 1, labels = {}) => increase(values, formatLabels(labels), value) };
    },
    histogram(name, help, buckets) {
      const states = new Map<
        string,
        { readonly labels: Labels; readonly counts: number[]; sum: number; count: number }
      >();
      const lines = (): readonly string[] =>
        [...states.values()].flatMap(({ labels, counts, sum, count }) => [
          ...buckets.map((le, i) => `${name}_bucket${formatLabels({ ...labels, le: String(le) })} ${counts[i] ?? 0}`),
          `${name}_bucket${formatLabels({ ...labels, le: "+Inf" })} ${count}`,
          `${name}_sum${formatLabels(labels)} ${formatValue(sum)}`,
          `${name}_count${formatLabels(labels)} ${count}`,
        ]);
      metrics.push({ name, help, type: "histogram", lines });
      return {
        observe(value, labels = {}) {
          const key = formatLabels(labels);
          const state = states.get(key) ?? { labels, counts: buckets.map(() => 0), sum: 0, count: 0 };
          states.set(key, state);
          buckets.forEach((bound, i) => {
            if (value <= bound) state.counts[i] = (state.counts[i] ?? 0) + 1;
          });
          state.sum += value;
          state.count++;
        },
      };
    },
    gauge: readable("gauge"),
    total: readable("counter"),
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
