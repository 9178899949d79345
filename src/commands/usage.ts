/** The texts of `--help`, made from a command's table. */
import { settingsTable } from "../config/settings.ts";
import type { Output } from "../terminal/io.ts";
import { style } from "../terminal/style.ts";
import type { ArgumentRow, Command, CommandRow, FlagRow } from "./command.ts";
import { commonFlags, settingFlag } from "./parse.ts";

/** `hearth run MODEL [PROMPT...]` */
export function synopsis(command: Command): string {
  const words = ["hearth", command.name, ...command.arguments.map(argumentWord), "[FLAGS]"];
  return words.filter((word) => word !== "").join(" ");
}

export function formatCommandHelp(stream: Output, command: Command): string {
  const own = flagRows({ ...command.flags, ...commonFlags });
  const settings = command.settings.map((name) => flagLine(settingsTable[name].flag, settingFlag(name)));
  const sections: [string, readonly (readonly [string, string])[]][] = [
    ["Arguments", command.arguments.map((row) => [row.name, row.text])],
    ["Flags", own],
    ["Settings, also from the environment and settings.json", settings],
  ];
  const head = `${command.text}\n\n${style(stream, "bold", "Usage:")} ${synopsis(command)}\n`;
  const body = sections.filter(([, rows]) => rows.length > 0).map(([title, rows]) => section(stream, title, rows));
  const examples = command.examples.map((line) => `  ${line}\n`).join("");
  const tail = examples === "" ? "" : `\n${style(stream, "bold", "Examples:")}\n${examples}`;
  return head + body.join("") + tail;
}

export function formatMainHelp(stream: Output, rows: readonly CommandRow[]): string {
  const commands = rows.map((row) => [row.name, row.text] as const);
  return [
    "hearth runs local models on your own hardware.\n\n",
    `${style(stream, "bold", "Usage:")} hearth [COMMAND] [ARGUMENTS] [FLAGS]\n`,
    "Without a command it opens a chat with the default model.\n",
    section(stream, "Commands", commands),
    "\nEvery command takes --json and --help. `hearth help settings` lists the settings.\n",
  ].join("");
}

/** The same as data, for `hearth help --json`. */
export function toHelpJson(command: Command): object {
  const flags = Object.entries({ ...command.flags, ...commonFlags });
  return {
    name: command.name,
    text: command.text,
    usage: synopsis(command),
    arguments: command.arguments,
    flags: flags.map(([name, row]) => ({
      flag: `--${name}`,
      ...(row.kind !== "switch" && { value: row.value }),
      text: row.text,
    })),
    settings: command.settings.map((name) => `--${settingsTable[name].flag}`),
    examples: command.examples,
  };
}

export function formatSettingsHelp(stream: Output): string {
  const rows = Object.values(settingsTable).map((row) => [`--${row.flag}  ${row.env}`, row.text] as const);
  const where = "A flag counts before the environment, that before settings.json in the data folder.\n";
  return `${where}${section(stream, "Settings", rows)}`;
}

/** `[["--seed N", "text"], …]` */
export function flagRows(flags: Readonly<Record<string, FlagRow>>): (readonly [string, string])[] {
  return Object.entries(flags).map(([name, row]) => flagLine(name, row));
}

export function flagLine(name: string, row: FlagRow): readonly [string, string] {
  if (row.kind === "switch") return [row.short === undefined ? `--${name}` : `-${row.short}, --${name}`, row.text];
  if (row.kind === "list") return [`--${name} ${row.value}`, `${row.text}; may be repeated`];
  return [row.bare === undefined ? `--${name} ${row.value}` : `--${name}[=${row.value}]`, row.text];
}

function argumentWord(row: ArgumentRow): string {
  const word = row.rest === true ? `${row.name}...` : row.name;
  return row.required === true ? word : `[${word}]`;
}

function section(stream: Output, title: string, rows: readonly (readonly [string, string])[]): string {
  const widest = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, text]) => `  ${name.padEnd(widest)}  ${text}\n`).join("");
  return `\n${style(stream, "bold", `${title}:`)}\n${lines}`;
}
