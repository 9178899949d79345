/** The command line as a function: words in, exit code out. */
import type { LoadedSettings } from "../config/load.ts";
import { loadSettings } from "../config/load.ts";
import { HearthError, isAbort, toHearthError } from "../error.ts";
import type { Hearth } from "../tasks/contract.ts";
import type { Io } from "../terminal/io.ts";
import { createStatus, type Status } from "../terminal/progress.ts";
import { style } from "../terminal/style.ts";
import { didYouMean } from "../util/distance.ts";
import type { Command, Context } from "./command.ts";
import { parseCommand, type ParsedCommand } from "./parse.ts";
import { defaultServices, type Services } from "./services.ts";
import { commandNames, commandTable, findCommand } from "./table.ts";
import { formatCommandHelp } from "./usage.ts";

export const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export interface MainOptions {
  readonly services?: Partial<Services>;
  /** Aborts on the first Ctrl-C or SIGTERM. */
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Runs one command. Never throws: what went wrong is on stderr, and in the exit code. */
export async function main(argv: readonly string[], io: Io, options: MainOptions = {}): Promise<number> {
  const { signal = new AbortController().signal } = options;
  const status = createStatus(io.stderr);
  try {
    const { command, words } = await chooseCommand(argv);
    const parsed = parseCommand(command, words);
    if (parsed.help) {
      io.stdout.write(formatCommandHelp(io.stdout, command));
      return exitCodes.ok;
    }
    const loaded = loadSettings({ flags: parsed.settings, ...(options.env && { env: options.env }) });
    return await runCommand(command, { parsed, loaded, io, status, signal, services: options.services });
  } catch (error) {
    status.clear();
    // What breaks after Ctrl-C, breaks because of it: child processes may have got the signal too.
    if (signal.aborted && (isAbort(error) || toHearthError(error).code === "internal")) return exitCodes.interrupted;
    return reportError(toHearthError(error), io, argv.includes("--json"));
  }
}

async function chooseCommand(argv: readonly string[]): Promise<{ command: Command; words: readonly string[] }> {
  const [first, ...words] = argv;
  if (first === "--version" || first === "-v") return await chooseCommand(["version", ...words]);
  if (first === "--help" || first === "-h") return await chooseCommand(["help", ...words]);
  if (first === undefined || first.startsWith("-")) {
    return { command: (await import("./chat.ts")).chat, words: argv };
  }
  const row = findCommand(first);
  if (row) return { command: await row.load(), words };
  throw new HearthError("usage", `hearth has no command "${first}".${didYouMean(first, commandNames())}`);
}

interface Run {
  readonly parsed: ParsedCommand;
  readonly loaded: LoadedSettings;
  readonly io: Io;
  readonly status: Status;
  readonly signal: AbortSignal;
  readonly services: Partial<Services> | undefined;
}

async function runCommand(command: Command, { parsed, loaded, io, status, signal, ...run }: Run): Promise<number> {
  const services: Services = { ...defaultServices, ...run.services };
  const settings = { ...loaded.settings, ...command.fixed };
  let hearth: Promise<Hearth> | undefined;
  const onNotice = (text: string): void => {
    status.note(text);
  };
  const context: Context = {
    ...loaded,
    settings,
    io,
    args: parsed.args,
    flags: parsed.flags as Context["flags"],
    json: parsed.json,
    signal,
    status,
    services,
    commands: commandTable,
    hearth: () => (hearth ??= services.createHearth({ settings, onNotice })),
    writeJson(value) {
      io.stdout.write(`${JSON.stringify(value, jsonValue, 2)}\n`);
    },
  };
  try {
    return (await command.run(context)) ?? exitCodes.ok;
  } finally {
    status.clear();
    // One that could not be made has reported its error already, to the command that asked for it.
    const made = await hearth?.catch(() => undefined);
    await made?.dispose();
  }
}

/** JSON knows no bigint (file metadata has them) and no Infinity (a keep-alive may be). */
function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  return value === Infinity ? -1 : value;
}

function reportError(error: HearthError, io: Io, json: boolean): number {
  const { code, message, hint } = error;
  if (json) {
    io.stderr.write(`${JSON.stringify({ error: { code, message, ...(hint !== "" && { hint }) } })}\n`);
  } else {
    io.stderr.write(`${style(io.stderr, "red", "hearth:")} ${message}\n`);
    if (hint !== "") io.stderr.write(`${hint}\n`);
    // A bug of ours: the stack is what a report needs.
    if (code === "internal" && error.cause instanceof Error) io.stderr.write(`${error.cause.stack ?? ""}\n`);
  }
  return code === "usage" ? exitCodes.usage : exitCodes.failed;
}
