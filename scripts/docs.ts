/** Writes docs/reference/ from the tables: settings, errors, commands. `test/docs.test.ts` fails when it is stale. */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chat } from "../src/commands/chat.ts";
import type { Command } from "../src/commands/command.ts";
import { settingText } from "../src/commands/setting-text.ts";
import { commandTable } from "../src/commands/table.ts";
import { flagRows, synopsis } from "../src/commands/usage.ts";
import { settingsTable, type SettingRow } from "../src/config/settings.ts";
import { errorCodes } from "../src/error.ts";

const folder = fileURLToPath(new URL("../docs/reference/", import.meta.url));
const note = "Written by `node scripts/docs.ts`; do not edit.";

/** File name in docs/reference/ → text. */
export async function renderDocs(): Promise<Readonly<Record<string, string>>> {
  const commands = await Promise.all(commandTable.map(async (row) => [row.aliases ?? [], await row.load()] as const));
  return { "settings.md": settings(), "errors.md": errors(), "commands.md": renderCommands([[[], chat], ...commands]) };
}

function settings(): string {
  const names = Object.keys(settingsTable) as (keyof typeof settingsTable)[];
  const rows = names.map((name) => {
    const row: SettingRow<unknown> = settingsTable[name];
    const variables = [row.env, ...(row.alsoEnv ?? [])].map(code).join(", ");
    const initial = settingText(name, settingsTable[name].default);
    return [code(`--${row.flag}`), variables, initial === "" ? "" : code(initial), row.text];
  });
  const intro =
    "A flag counts before the environment, the environment before `settings.json` in the data folder, whose keys are the " +
    "names of the flags without the dashes. Sizes are written `512MiB`, durations `5m`, `1h30m`, `0` or `-1` (for ever).";
  return page("Settings", intro, table(["flag", "environment", "default", "what it is"], rows));
}

function errors(): string {
  const rows = Object.entries(errorCodes).map(([name, { status, hint }]) => [code(name), String(status), hint]);
  const intro =
    "Each error has a code, a sentence that says what happened, and a hint that says what to do; a message may bring its " +
    "own hint. The command line exits with 2 for `usage`, with 1 for all others.";
  return page("Errors", intro, table(["code", "HTTP status", "usual hint"], rows));
}

function renderCommands(commands: readonly (readonly [readonly string[], Command])[]): string {
  const intro =
    "Every command takes `--json` and `--help`. Exit codes: 0, 1 (failed), 2 (usage), 130 and 143 (interrupted). " +
    "Answers and data go to stdout, all else to stderr.";
  return page("Commands", intro, commands.map(([aliases, command]) => section(command, aliases)).join("\n"));
}

function section(command: Command, aliases: readonly string[]): string {
  const also = aliases.length === 0 ? "" : ` Also: ${aliases.map(code).join(", ")}.`;
  const rows = [
    ...command.arguments.map((row) => [code(row.name), row.text]),
    ...flagRows(command.flags).map(([name, text]) => [code(name), text]),
  ];
  const names = command.settings.map((name) => code(`--${settingsTable[name].flag}`)).join(", ");
  return [
    `## hearth ${command.name}`.trimEnd(),
    "",
    `${command.text}${also}`,
    "",
    ["```", synopsis(command), ...command.examples, "```"].join("\n"),
    "",
    ...(rows.length === 0 ? [] : [table(["argument or flag", "what it is"], rows)]),
    `Settings: ${names}.`,
    "",
  ].join("\n");
}

function page(title: string, intro: string, body: string): string {
  return `# ${title}\n\n${note}\n\n${intro}\n\n${body}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return `${line(head)}${line(head.map(() => "---"))}${rows.map(line).join("")}\n`;
}

function code(text: string): string {
  return `\`${text}\``;
}

if (import.meta.main) {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(await renderDocs())) writeFileSync(`${folder}${name}`, text);
}
