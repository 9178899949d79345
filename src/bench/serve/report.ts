/** Medians of the runs, and how ours compares with the better of the others. */
import { alignColumns, format, formatLoad, warnBusy, type MachineLoad } from "../report.ts";
import { median } from "../statistics.ts";
import type { FigureRow, Results, Scenario, ScenarioName, Unit, Values } from "./scenario.ts";

export interface FigureReport {
  readonly name: string;
  readonly label: string;
  readonly unit: Unit;
  /** Name of a contestant → median over the runs. */
  readonly values: Readonly<Record<string, number>>;
  /** Name of a peer → median of the ratios of each run; above 1 means that hearth is better. */
  readonly ratios: Readonly<Record<string, number>>;
}

export interface ScenarioReport {
  readonly name: ScenarioName;
  readonly text: string;
  readonly figures: readonly FigureReport[];
}

export interface ServeReport {
  readonly model: string;
  readonly engine: string;
  readonly device: string;
  readonly threads: number;
  /** Of one sequence. */
  readonly contextTokens: number;
  readonly runs: number;
  readonly machineLoad: MachineLoad;
  /** Contestants that were asked for and could not take part, and why. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly scenarios: readonly ScenarioReport[];
}

const ours = "hearth";

export function summarizeScenario({ name, text, figures }: Scenario, results: Results): ScenarioReport {
  return { name, text, figures: figures.map((row) => summarizeFigure(row, results)) };
}

function summarizeFigure({ name, label, unit, better }: FigureRow, results: Results): FigureReport {
  const valuesOf = (runs: readonly Values[]): number[] => runs.map((values) => values[name] ?? Number.NaN);
  const own = valuesOf(results[ours] ?? []);
  const values: [string, number][] = [];
  const ratios: [string, number][] = [];
  for (const [contestant, runs] of Object.entries(results)) {
    const theirs = valuesOf(runs);
    if (Number.isFinite(median(theirs))) values.push([contestant, median(theirs)]);
    if (contestant === ours || better === undefined) continue;
    const pairs = own.map((value, run) => [value, theirs[run] ?? Number.NaN] as const);
    const ratio = median(pairs.map(([a, b]) => (better === "more" ? a / b : b / a)));
    if (Number.isFinite(ratio)) ratios.push([contestant, ratio]);
  }
  return { name, label, unit, values: Object.fromEntries(values), ratios: Object.fromEntries(ratios) };
}

/** The report as a table for people. The ratio is that to the better of the others. */
export function formatServeReport(report: ServeReport): string {
  const { scenarios } = report;
  const names = [...new Set([ours, ...scenarios.flatMap(contestantsOf)])];
  const compared = names.length > 1;
  const rows = scenarios.map(({ figures }) => figures.map((figure) => formatFigure(figure, names)));
  const [header = "", ...lines] = alignColumns([["", ...names, ...(compared ? ["ratio"] : [])], ...rows.flat()]);
  let at = 0;
  const sections = scenarios.flatMap(({ name, text, figures }) => {
    const own = lines.slice(at, (at += figures.length));
    return ["", `${name}: ${text}`, ...own];
  });
  return [
    `${report.model}: engine ${report.engine} on ${report.device}, ${report.threads} threads, context ${report.contextTokens}`,
    `medians of ${report.runs} runs in turn; ${formatLoad(report.machineLoad)}`,
    "",
    header.trimEnd(),
    ...sections.map((line) => line.trimEnd()),
    "",
    ...(compared ? ["A ratio above 1 means that hearth is better than the better of the others."] : []),
    ...report.skipped.map(({ name, reason }) => `${name} took no part: ${reason}`),
    ...warnBusy(report.machineLoad),
  ]
    .join("\n")
    .trimEnd();
}

function contestantsOf({ figures }: ScenarioReport): string[] {
  return figures.flatMap(({ values }) => Object.keys(values));
}

function formatFigure({ label, unit, values, ratios }: FigureReport, names: readonly string[]): string[] {
  const cells = names.map((name) => formatValue(values[name] ?? Number.NaN, unit));
  const worst = Math.min(...Object.values(ratios));
  const ratio = Number.isFinite(worst) ? `${worst.toFixed(2)} x` : "";
  const shown = unit === "" || unit === "yes" || unit === "x" ? "" : `, ${unit}`;
  return [`  ${label}${shown}`, ...cells, ...(names.length > 1 ? [ratio] : [])];
}

function formatValue(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return "-";
  switch (unit) {
    case "MiB":
      return format(value / 1024 ** 2);
    case "%":
      return (value * 100).toFixed(1);
    case "x":
      return `${value.toFixed(2)} x`;
    case "yes":
      return value === 1 ? "yes" : "no";
    case "":
      return Number.isInteger(value) ? String(value) : value.toFixed(3);
    default:
      return format(value);
  }
}
