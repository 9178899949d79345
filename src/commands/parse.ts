import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import type { SettingRow } from "../config/settings.ts";
import { settingsTable } from "../config/settings.ts";
import { HearthError } from "../error.ts";
import { didYouMean } from "../util/distance.ts";
import type { Command, FlagRow } from "./command.ts";

export interface ParsedCommand {
  readonly args: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
  /** Setting name → text of its flag. */
  readonly settings: Readonly<Record<string, string>>;
  readonly json: boolean;
  readonly help: boolean;
}

/** The flags that a command takes besides its own. */
export const commonFlags: Readonly<Record<"json" | "help", FlagRow>> = {
  json: { kind: "switch", text: "print JSON" },
  help: { kind: "switch", short: "h", text: "show this text" },
};

interface Flag {
  readonly row: FlagRow;
  /** Set when the flag is a setting. */
  readonly setting?: string;
}

/** The words after the command's name → typed arguments and flags. Throws `usage`. */
export function parseCommand(command: Command, words: readonly string[]): ParsedCommand {
  const known = flagsOf(command);
  const { tokens } = parseArgs({
    args: expandBare(words, known),
    options: nodeOptions(known),
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const args: string[] = [];
  const flags: Record<string, unknown> = emptyFlags(command);
  const settings: Record<string, string> = {};
  for (const token of tokens) {
    if (token.kind === "positional") args.push(token.value);
    if (token.kind !== "option") continue;
    const flag = known.get(token.name);
    if (!flag) throw unknownFlag(command, token.rawName, known);
    const text = flagText(token, flag.row);
    if (flag.setting) settings[flag.setting] = text;
    else flags[token.name] = flagValue(flag.row, { text, name: token.rawName, before: flags[token.name] });
  }
  const { json = false, help = false, ...own } = flags;
  if (help !== true) checkArguments(command, args);
  return { args, flags: own, settings, json: json === true, help: help === true };
}

function flagsOf(command: Command): Map<string, Flag> {
  const known = new Map<string, Flag>(
    Object.entries({ ...command.flags, ...commonFlags }).map(([name, row]) => [name, { row }]),
  );
  for (const name of command.settings) known.set(settingsTable[name].flag, { row: settingFlag(name), setting: name });
  return known;
}

/** A setting as a flag: its text is parsed by `loadSettings`, together with the other sources. */
export function settingFlag(name: keyof typeof settingsTable): FlagRow {
  const row: SettingRow<unknown> = settingsTable[name];
  const value = typeof row.default === "boolean" ? "BOOLEAN" : row.flag.split("-").at(-1)?.toUpperCase();
  return {
    kind: "value",
    value: value ?? "VALUE",
    text: row.text,
    parse: (text) => text,
    ...(typeof row.default === "boolean" && { bare: "true" }),
  };
}

function nodeOptions(known: ReadonlyMap<string, Flag>): ParseArgsOptionsConfig {
  const options: ParseArgsOptionsConfig = {};
  for (const [name, { row }] of known) {
    options[name] =
      row.kind === "switch"
        ? { type: "boolean", ...(row.short !== undefined && { short: row.short }) }
        : { type: "string", multiple: row.kind === "list" };
  }
  return options;
}

/** `--think` → `--think=true`: `parseArgs` itself knows no optional values. */
function expandBare(words: readonly string[], known: ReadonlyMap<string, Flag>): string[] {
  const end = words.indexOf("--");
  return words.map((word, index) => {
    if (!word.startsWith("--") || (end !== -1 && index >= end)) return word;
    const row = known.get(word.slice(2))?.row;
    return row?.kind === "value" && row.bare !== undefined ? `${word}=${row.bare}` : word;
  });
}

function emptyFlags(command: Command): Record<string, unknown> {
  const flags: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(command.flags)) {
    if (row.kind === "switch") flags[name] = false;
    if (row.kind === "list") flags[name] = [];
  }
  return flags;
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function flagText(token: OptionToken, row: FlagRow): string {
  const { rawName, value, inlineValue } = token;
  if (row.kind === "switch") {
    if (value === undefined) return "";
    throw new HearthError("usage", `${rawName} takes no value; it was given "${value}".`);
  }
  if (value === undefined) throw new HearthError("usage", `${rawName} needs a value: ${rawName} ${row.value}.`);
  if (inlineValue !== true && /^-[a-z-]/i.test(value)) {
    throw new HearthError("usage", `${rawName} needs a value; "${value}" after it is a flag.`, {
      hint: `If that is the value, write ${rawName}=${value}`,
    });
  }
  return value;
}

function flagValue(row: FlagRow, { text, name, before }: { text: string; name: string; before: unknown }): unknown {
  if (row.kind === "switch") return true;
  const value = row.parse(text, name);
  return row.kind === "list" ? [...(before as unknown[]), value] : value;
}

function unknownFlag(command: Command, rawName: string, known: ReadonlyMap<string, Flag>): HearthError {
  const name = rawName.replace(/^-+/, "");
  const setting = Object.values(settingsTable).some((row) => row.flag === name);
  const close = setting
    ? ""
    : didYouMean(name, known.keys())
        .replaceAll('"', "")
        .replaceAll(/(?<=mean |or )/g, "--");
  const title = command.name === "" ? "hearth" : `hearth ${command.name}`;
  return new HearthError("usage", `${title} has no flag ${rawName}.${close}`, {
    hint: `Run \`${title} --help\` for its flags.`,
  });
}

function checkArguments(command: Command, args: readonly string[]): void {
  const rows = command.arguments;
  const missing = rows.find((row, index) => row.required === true && args[index] === undefined);
  const hint = `Run \`hearth ${command.name} --help\` for examples.`;
  if (missing)
    throw new HearthError("usage", `hearth ${command.name} needs ${missing.name}: ${missing.text}.`, { hint });
  if (args.length > rows.length && rows.at(-1)?.rest !== true) {
    const extra = args[rows.length] ?? "";
    throw new HearthError("usage", `hearth ${command.name} does not know what to do with "${extra}".`, { hint });
  }
}
