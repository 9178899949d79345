/** What a command is: a table of arguments and flags, and a function. Parsing and `--help` both come from the table. */
import { HearthError } from "../error.ts";
import type { Settings } from "../config/settings.ts";
import type { LoadedSettings } from "../config/load.ts";
import type { Hearth } from "../tasks/contract.ts";
import type { Io } from "../terminal/io.ts";
import type { Status } from "../terminal/progress.ts";
import type { Services } from "./services.ts";

/** One row of the table of commands. The module is loaded when the command is used. */
export interface CommandRow {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly text: string;
  readonly load: () => Promise<Command>;
}

export interface ArgumentRow {
  readonly name: string;
  readonly text: string;
  readonly required?: boolean;
  /** Takes all that follow. */
  readonly rest?: boolean;
}

/** A flag without a value: present or not. */
export interface SwitchRow {
  readonly kind: "switch";
  readonly text: string;
  readonly short?: string;
}

/** A flag with a value. */
export interface ValueRow<T> {
  readonly kind: "value";
  readonly value: string;
  readonly text: string;
  readonly parse: (text: string, name: string) => T;
  /** What the flag alone, without `=VALUE`, means. Such a flag takes its value after `=` only. */
  readonly bare?: string;
}

/** A flag with a value that may be given more than once. */
export interface ListRow<T> {
  readonly kind: "list";
  readonly value: string;
  readonly text: string;
  readonly parse: (text: string, name: string) => T;
}

export type FlagRow = SwitchRow | ValueRow<unknown> | ListRow<unknown>;
export type FlagTable = Readonly<Record<string, FlagRow>>;

/** Flag table → what the command gets: switches are always there, values only when given. */
export type FlagValues<Flags extends FlagTable> = {
  readonly [Name in keyof Flags]: Flags[Name] extends SwitchRow
    ? boolean
    : Flags[Name] extends ListRow<infer T>
      ? readonly T[]
      : Flags[Name] extends ValueRow<infer T>
        ? T | undefined
        : never;
};

export interface Context<Flags extends FlagTable = FlagTable> extends LoadedSettings {
  readonly io: Io;
  readonly args: readonly string[];
  readonly flags: FlagValues<Flags>;
  readonly json: boolean;
  /** Aborts on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly status: Status;
  readonly services: Services;
  readonly commands: readonly CommandRow[];
  /** Made on first use; disposed of when the command ends. */
  readonly hearth: () => Promise<Hearth>;
  /** Writes one JSON value and a line end to stdout. */
  readonly writeJson: (value: unknown) => void;
}

export interface Command {
  readonly name: string;
  /** Ends with a full stop; the first line of `--help`. */
  readonly text: string;
  readonly arguments: readonly ArgumentRow[];
  readonly flags: FlagTable;
  /** Settings that matter to this command: these are its further flags. */
  readonly settings: readonly (keyof Settings)[];
  /** Settings that this command decides itself, whatever the user has set. */
  readonly fixed: Partial<Settings>;
  readonly examples: readonly string[];
  /** Exit code; nothing means 0. */
  run(context: Context): Promise<number | void>;
}

export interface CommandRows<Flags extends FlagTable> extends Omit<
  Command,
  "flags" | "run" | "settings" | "fixed" | "examples"
> {
  readonly flags?: Flags;
  readonly settings?: readonly (keyof Settings)[];
  readonly fixed?: Partial<Settings>;
  readonly examples?: readonly string[];
  run(context: Context<Flags>): Promise<number | void>;
}

/** Ties the types of the flags to the function that reads them. */
export function defineCommand<const Flags extends FlagTable>(rows: CommandRows<Flags>): Command {
  return {
    ...rows,
    flags: rows.flags ?? {},
    settings: [...everywhere, ...(rows.settings ?? [])],
    fixed: rows.fixed ?? {},
    examples: rows.examples ?? [],
    // `parse.ts` builds the values from this very table, so they have its type.
    run: (context) => rows.run(context as unknown as Context<Flags>),
  };
}

const everywhere: readonly (keyof Settings)[] = ["data"];

/** Groups of settings that several commands share. */
export const loadSettingNames: readonly (keyof Settings)[] = [
  "engine",
  "device",
  "context",
  "parallel",
  "threads",
  "kvTypeK",
  "kvTypeV",
  "flashAttention",
  "gpuLayers",
  "quantize",
  "cacheTokens",
  "speculation",
  "draft",
  "memory",
];

export const pullSettingNames: readonly (keyof Settings)[] = [
  "offline",
  "hub",
  "hubToken",
  "hubTimeout",
  "ollamaRegistry",
  "connections",
];

export const serverSettingNames: readonly (keyof Settings)[] = ["host", "port"];

export function parseNumber(text: string, name: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  throw new HearthError("usage", `${name} is "${text}"; it must be a number.`);
}
