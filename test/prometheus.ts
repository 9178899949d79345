/** A strict reader of Prometheus' text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats */

export interface PrometheusSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly samples: PrometheusSample[];
}

/** Throws at the first line that does not belong where it stands. */
export function parsePrometheus(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, Family>();
  const lines = text.slice(0, -1).split("\n");
  let current = "";
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const help = /^# HELP (\w+) \S.*$/.exec(line);
    if (!help) {
      const sample = parseSample(line);
      belongs(sample, current, families);
      families.get(current)?.samples.push(sample);
      continue;
    }
    current = help[1] ?? "";
    const type = new RegExp(`^# TYPE ${current} (counter|gauge|histogram)$`).exec(lines[++at] ?? "")?.[1];
    if (type === undefined) throw new Error(`${current} has no type`);
    if (families.has(current)) throw new Error(`${current} is there twice`);
    families.set(current, { type, samples: [] });
  }
  for (const [name, family] of families) check(name, family);
  return families;
}

function parseSample(line: string): PrometheusSample {
  const [, name, labelText = "", value] =
    /^([a-zA-Z_:]\w*)(?:\{((?:[^"]|"(?:[^"\\]|\\.)*")*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined || Number.isNaN(toNumber(value))) throw new Error(`"${line}" is no sample`);
  const pairs = [...labelText.matchAll(/(?:^|,)(\w+)="((?:[^"\\]|\\.)*)"/g)];
  if (pairs.map(([pair]) => pair).join("") !== labelText) throw new Error(`"${labelText}" are no labels`);
  const labels = Object.fromEntries(pairs.map(([, key = "", text = ""]) => [key, unescape(text)]));
  return { name, labels, value: toNumber(value) };
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
}

function toNumber(text: string | undefined): number {
  return text === "+Inf" ? Infinity : Number(text);
}

function belongs({ name }: PrometheusSample, current: string, families: Map<string, Family>): void {
  const suffixes = families.get(current)?.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  if (!suffixes.some((suffix) => name === current + suffix)) throw new Error(`${name} stands under "${current}"`);
}

function check(name: string, { type, samples }: Family): void {
  const keys = samples.map((sample) => `${sample.name} ${JSON.stringify(sample.labels)}`);
  if (new Set(keys).size < keys.length) throw new Error(`${name} has a sample twice`);
  if (type !== "gauge" && samples.some(({ value }) => !(value >= 0))) throw new Error(`${name} has a negative value`);
  if (type === "histogram") for (const series of groupSeries(samples).values()) checkSeries(name, series);
}

/** Samples that differ in nothing but their bucket. */
function groupSeries(samples: readonly PrometheusSample[]): Map<string, PrometheusSample[]> {
  return Map.groupBy(samples, ({ labels: { le: _bound, ...others } }) => JSON.stringify(others));
}

function checkSeries(name: string, series: readonly PrometheusSample[]): void {
  const buckets = series.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => toNumber(labels["le"]));
  const counts = buckets.map(({ value }) => value);
  const rises = (values: readonly number[], least: number): boolean =>
    values.every((value, at) => at === 0 || value - (values[at - 1] ?? 0) >= least);
  if (bounds.at(-1) !== Infinity || !rises(bounds, Number.MIN_VALUE))
    throw new Error(`${name}: bounds are ${bounds.join()}`);
  if (!rises(counts, 0)) throw new Error(`${name}: buckets are not cumulative: ${counts.join()}`);
  const count = series.find((sample) => sample.name === `${name}_count`)?.value;
  if (count !== counts.at(-1)) throw new Error(`${name}: the count is ${count}, the last bucket has ${counts.at(-1)}`);
  if (!series.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name} has no sum`);
}
