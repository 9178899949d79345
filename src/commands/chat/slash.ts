/** The commands of the chat: a line that starts with a slash. */
import { HearthError } from "../../error.ts";
import { formatPairs } from "../../terminal/table.ts";
import { didYouMean } from "../../util/distance.ts";
import { ensureModel, loadModel } from "./model.ts";
import type { Repl } from "./repl.ts";
import { loadSaved, saveSession, savedNames } from "./saved.ts";
import { toLoadOptions } from "./session.ts";
import { runSet, setTable } from "./set.ts";
import { runShow, showTable } from "./show.ts";

export interface SlashRow {
  readonly name: string;
  readonly value?: string;
  readonly text: string;
  run(repl: Repl, value: string, signal: AbortSignal): Promise<void> | void;
}

const slashTable: readonly SlashRow[] = [
  { name: "set", value: "NAME VALUE", text: "change how answers are made; alone: what can be set", run: runSet },
  { name: "show", value: "WHAT", text: "show the model or the session; alone: what can be shown", run: runShow },
  { name: "load", value: "NAME", text: "go on with a saved session, or with another model", run: runLoad },
  { name: "save", value: "NAME", text: "save this session", run: runSave },
  { name: "clear", text: "forget the conversation so far", run: runClear },
  { name: "bye", text: "leave; so does Ctrl-D", run() {} },
  { name: "?", text: "show this list", run: runHelp },
  { name: "help", text: "the same", run: runHelp },
];

export async function runSlash(repl: Repl, line: string, signal: AbortSignal): Promise<void> {
  const [, name = "", value = ""] = /^\/(\S*)\s*([\s\S]*)$/.exec(line) ?? [];
  const row = slashTable.find((candidate) => candidate.name === name);
  if (!row) {
    const close = didYouMean(
      `/${name}`,
      slashTable.map((candidate) => `/${candidate.name}`),
    );
    throw new HearthError("usage", `There is no command "/${name}".${close}`, { hint: "/? lists them." });
  }
  await row.run(repl, value.trim(), signal);
}

function runHelp({ context, write }: Repl): void {
  const line = ({ name, value, text }: SlashRow, prefix: string): readonly [string, string] => [
    `${prefix}${name}${value === undefined ? "" : ` ${value}`}`,
    text,
  ];
  const { stdout } = context.io;
  write(
    formatPairs(stdout, [...slashTable.map((row) => line(row, "/")), ['"""', "begin and end a text of many lines"]]),
  );
  write(
    formatPairs(stdout, [
      ...setTable.map((row) => line(row, "/set ")),
      ...showTable.map((row) => line(row, "/show ")),
      ["Ctrl-C", "stop the answer"],
      ["Ctrl-D", "leave"],
    ]),
  );
}

function runClear({ session, write }: Repl): void {
  session.messages = [];
  write("The conversation is forgotten.\n");
}

async function runSave(repl: Repl, name: string): Promise<void> {
  const path = await saveSession(repl.savedFolder, name, repl.session);
  repl.write(`Saved to ${path}\n`);
}

async function runLoad(
  { context, session, savedFolder, write }: Repl,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  if (name === "") {
    const names = await savedNames(savedFolder);
    const list = names.length === 0 ? "No session is saved." : `Saved sessions: ${names.join(", ")}.`;
    throw new HearthError("usage", `/load needs the name of a session or a model. ${list}`, { hint: "" });
  }
  const saved = await loadSaved(savedFolder, name);
  const ready = { ...context, signal };
  const installed = await ensureModel(ready, saved?.model ?? name);
  const next = { ...session, ...saved, model: installed.name };
  await loadModel(ready, installed.name, toLoadOptions(next));
  Object.assign(session, next);
  if (saved) write(`Session ${name} with ${installed.name}, ${session.messages.length} messages.\n`);
  else write(`Now talking to ${installed.name}; the conversation goes on.\n`);
}
