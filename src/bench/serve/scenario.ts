/** What a scenario of `hearth bench serve` is, and what it is given. */
import type { Contestant } from "../measure.ts";
import type { HearthServer, HearthServerOptions } from "./hearth-server.ts";

export const scenarioNames = ["batch", "mixed", "prefix", "agent", "restart", "repeat", "ordinary", "queue"] as const;
export type ScenarioName = (typeof scenarioNames)[number];

/** `MiB` rows hold bytes, `%` rows shares of one, `yes` rows 1 or 0. */
export type Unit = "tok/s" | "ms" | "s" | "MiB" | "%" | "x" | "yes" | "";

/** A line of the report. */
export interface FigureRow {
  readonly name: string;
  readonly label: string;
  readonly unit: Unit;
  /** Absent: there is nothing to compare. */
  readonly better?: "more" | "less";
}

/** Name of a figure → its value in one run. */
export type Values = Readonly<Record<string, number>>;

/** Name of a contestant → the values of its runs, in order. */
export type Results = Readonly<Record<string, readonly Values[]>>;

export interface Scenario {
  readonly name: ScenarioName;
  /** What is asked for, in a few words. */
  readonly text: string;
  /** Tokens that one sequence has to hold. */
  readonly neededTokens: number;
  readonly figures: readonly FigureRow[];
  run(kit: Kit): Promise<Results>;
}

/** What a scenario measures with. */
export interface Kit {
  readonly runs: number;
  readonly contextTokens: number;
  readonly signal: AbortSignal | undefined;
  /** One line of progress. */
  note(line: string): void;
  hearth(options: HearthServerOptions): HearthServer;
  /** Those with which ours is compared, none of them running, with so many sequences each. */
  peers(slots: number): readonly Contestant[];
  /** Length → a random prompt of that length, each another; another seed gives others. */
  prompts(seed: number): (length: number) => number[];
}
