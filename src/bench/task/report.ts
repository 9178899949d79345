import { alignColumns, format, formatLoad, type MachineLoad, warnBusy } from "../report.ts";
import { median } from "../statistics.ts";
import type { Row, TaskFigures } from "./measure.ts";

/** Medians over the rounds, by task; `model` has what the loaded model costs. A ratio above 1: hearth is better. */
export interface TaskReport {
  readonly model: string;
  readonly engine: string;
  readonly device: string;
  readonly rounds: number;
  readonly threads: number;
  /** The weights in the file. */
  readonly fileBytes: number;
  /** How long each figure was measured at least, in each round. */
  readonly seconds: number;
  /** Task → what its rates count, e.g. `texts`. */
  readonly items: Readonly<Record<string, string>>;
  readonly machineLoad: MachineLoad;
  readonly ours: TaskFigures;
  readonly peer?: { readonly name: string; readonly figures: TaskFigures };
  readonly ratio?: TaskFigures;
}

export function summarizeTasks(rounds: readonly TaskFigures[]): TaskFigures {
  return combine(rounds[0] ?? {}, (section, name) =>
    median(rounds.map((round) => round[section]?.[name] ?? Number.NaN)),
  );
}

/** Medians of the ratios of each round; only of what both sides did. */
export function compareTasks(ours: readonly TaskFigures[], peer: readonly TaskFigures[]): TaskFigures {
  return combine(peer[0] ?? {}, (section, name) =>
    median(
      ours.map((round, index) => {
        const [a, b] = [round[section]?.[name] ?? Number.NaN, peer[index]?.[section]?.[name] ?? Number.NaN];
        return name.startsWith("clients") ? a / b : b / a;
      }),
    ),
  );
}

function combine(shape: TaskFigures, value: (section: string, name: string) => number): TaskFigures {
  const sections = Object.entries(shape).map(([section, row]) => {
    const figures = Object.keys(row).map((name) => [name, value(section, name)] as const);
    return [section, Object.fromEntries(figures.filter(([, figure]) => Number.isFinite(figure))) as Row] as const;
  });
  return Object.fromEntries(sections);
}

const labels: Readonly<Record<string, string>> = {
  load: "load, ms",
  memory: "memory, MiB",
  p50: "p50, ms",
  p99: "p99, ms",
};

/** The report as a table for people. */
export function formatTaskReport(report: TaskReport): string {
  const { ours, peer, ratio } = report;
  const header = ["", "hearth", ...(peer ? [peer.name, "ratio"] : [])];
  const rows = Object.entries(ours).flatMap(([section, row]) =>
    Object.entries(row).map(([name, value]) => {
      const unit = name === "memory" ? 1024 ** 2 : 1;
      const other = peer?.figures[section]?.[name];
      const factor = ratio?.[section]?.[name];
      const compared = [
        other === undefined ? "-" : formatFigure(other / unit),
        factor === undefined ? "-" : `${factor.toFixed(2)} x`,
      ];
      return [labelOf(report, section, name), formatFigure(value / unit), ...(peer ? compared : [])];
    }),
  );
  return [
    `${report.model}: engine ${report.engine} on ${report.device}, ${report.threads} threads; weights ${format(report.fileBytes / 1024 ** 2)} MiB`,
    `medians of ${report.rounds} rounds of ${report.seconds} s for each figure${peer ? ", in turn" : ""}; p50 and p99 of one client; ${formatLoad(report.machineLoad)}`,
    "",
    ...alignColumns([header, ...rows]),
    ...(ratio ? ["", "A ratio above 1 means that hearth is better."] : []),
    ...warnBusy(report.machineLoad),
  ].join("\n");
}

function labelOf({ items }: TaskReport, section: string, name: string): string {
  if (section === "model") return labels[name] ?? name;
  const count = name.replace("clients", "");
  return `${section}: ${labels[name] ?? `${count} client${count === "1" ? "" : "s"}, ${items[section] ?? "calls"}/s`}`;
}

/** Fast models take tenths of a millisecond, slow ones do tenths of a picture in a second. */
function formatFigure(value: number): string {
  return Math.abs(value) < 10 ? value.toFixed(2) : format(value);
}
