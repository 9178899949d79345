import type { Figures } from "./measure.ts";
import { median } from "./statistics.ts";

export interface SideReport {
  readonly load: number;
  readonly firstToken: number;
  readonly prefill: number;
  readonly decode: number;
  /** Bytes of the process with the model and all caches; absent where the engine does not say. */
  readonly memory?: number;
  readonly [clients: `clients${number}`]: number;
}

/** Load average of the machine over one minute, before and after; above 0.5 at the start, figures are noisy. */
export interface MachineLoad {
  readonly before: number;
  readonly after: number;
}

/** Medians over the rounds. Times in ms, rates in tokens per second. A ratio above 1 means that hearth is better. */
export interface BenchReport {
  readonly model: string;
  readonly engine: string;
  readonly device: string;
  readonly rounds: number;
  readonly promptTokens: number;
  readonly decodeTokens: number;
  readonly parallel: number;
  readonly contextTokens: number;
  readonly threads: number;
  /** The weights in the file. */
  readonly fileBytes: number;
  /** Prompts a round that prefill and decode were measured with. */
  readonly prompts: number;
  readonly machineLoad: MachineLoad;
  readonly ours: SideReport;
  readonly peer?: SideReport & { readonly name: string };
  readonly ratio?: SideReport;
}

export function summarize(rounds: readonly Figures[]): SideReport {
  const side: Record<string, number> = {
    load: median(rounds.map((round) => round.load)),
    firstToken: median(rounds.map((round) => round.firstToken)),
    prefill: median(rounds.map((round) => round.prefill)),
    decode: median(rounds.map((round) => round.decode)),
  };
  for (const count of Object.keys(rounds[0]?.clients ?? {})) {
    side[`clients${count}`] = median(rounds.map((round) => round.clients[count] ?? Number.NaN));
  }
  const memory = median(rounds.map((round) => round.residentBytes ?? Number.NaN));
  if (Number.isFinite(memory)) side["memory"] = memory;
  return side as unknown as SideReport;
}

/** Ratio of each figure, turned so that above 1 is better for `ours`: medians of the ratios of each round. */
export function compare(ours: readonly Figures[], peer: readonly Figures[]): SideReport {
  const pairs = ours.map((figures, index) => [figures, peer[index] as Figures] as const);
  const side: Record<string, number> = {
    load: median(pairs.map(([a, b]) => b.load / a.load)),
    firstToken: median(pairs.map(([a, b]) => b.firstToken / a.firstToken)),
    prefill: median(pairs.map(([a, b]) => a.prefill / b.prefill)),
    decode: median(pairs.map(([a, b]) => a.decode / b.decode)),
  };
  for (const count of Object.keys(ours[0]?.clients ?? {})) {
    side[`clients${count}`] = median(pairs.map(([a, b]) => (a.clients[count] ?? 0) / (b.clients[count] ?? 0)));
  }
  const memory = median(pairs.map(([a, b]) => (b.residentBytes ?? Number.NaN) / (a.residentBytes ?? Number.NaN)));
  if (Number.isFinite(memory)) side["memory"] = memory;
  return side as unknown as SideReport;
}

/** Load average above which something else computes. */
const busyLoad = 0.5;

const labels: Readonly<Record<string, string>> = {
  load: "load, ms",
  firstToken: "first token, ms",
  prefill: "prefill, tok/s",
  decode: "decode, tok/s",
  memory: "memory, MiB",
};

/** The report as a table for people. */
export function formatReport(report: BenchReport): string {
  const { ours, peer, ratio } = report;
  const header = ["", "hearth", ...(peer ? [peer.name, "ratio"] : [])];
  const rows = Object.keys(ours).map((key) => {
    const name = key as keyof SideReport;
    const cells = [ours[name], ...(peer && ratio ? [peer[name]] : [])].map((value) =>
      format((value ?? Number.NaN) / (key === "memory" ? 1024 ** 2 : 1)),
    );
    const label = labels[key] ?? `${key.replace("clients", "")} clients, tok/s`;
    return [label, ...cells, ...(ratio ? [`${(ratio[name] ?? Number.NaN).toFixed(2)} x`] : [])];
  });
  return [
    `${report.model}: engine ${report.engine} on ${report.device}, ${report.threads} threads, context ${report.contextTokens}, ${report.parallel} sequences; weights ${format(report.fileBytes / 1024 ** 2)} MiB`,
    `medians of ${report.rounds} rounds of ${report.prompts} prompts in turn; prompt ${report.promptTokens}, decode ${report.decodeTokens} tokens; ${formatLoad(report.machineLoad)}`,
    "",
    ...alignColumns([header, ...rows]),
    ...(ratio ? ["", "A ratio above 1 means that hearth is better."] : []),
    ...warnBusy(report.machineLoad),
  ].join("\n");
}

export function formatLoad({ before, after }: MachineLoad): string {
  return `load average ${before.toFixed(2)} before, ${after.toFixed(2)} after`;
}

export function warnBusy({ before }: MachineLoad): readonly string[] {
  return before > busyLoad ? ["The machine was busy before the first round: these figures are noisy."] : [];
}

/** The first column to the left, the others to the right. */
export function alignColumns(table: readonly (readonly string[])[]): readonly string[] {
  const columns = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return table.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(columns[0] ?? 0) : cell.padStart(columns[column] ?? 0)))
      .join("  "),
  );
}

export function format(value: number): string {
  if (!Number.isFinite(value)) return "-";
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
