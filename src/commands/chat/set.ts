/** `/set`: how the next answers are made. */
import { HearthError } from "../../error.ts";
import { unquote } from "../../terminal/prompt.ts";
import { formatPairs } from "../../terminal/table.ts";
import { didYouMean } from "../../util/distance.ts";
import { parseFormat, parseThink } from "./flags.ts";
import { listParameters, setParameter } from "./parameters.ts";
import type { Repl } from "./repl.ts";
import type { SlashRow } from "./slash.ts";

export const setTable: readonly SlashRow[] = [
  { name: "parameter", value: "NAME VALUE", text: "set a sampling parameter, as the flags of `run`", run: setOne },
  { name: "system", value: "TEXT", text: "set the system message; without a text there is none", run: setSystem },
  {
    name: "format",
    value: "json|FILE",
    text: "answer in JSON, or by a JSON schema",
    run({ session, write }, value) {
      session.format = parseFormat(value, "/set format");
      write(session.format.type === "json" ? "Answers will be JSON.\n" : "Answers will follow the schema.\n");
    },
  },
  {
    name: "noformat",
    text: "answer in plain text",
    run({ session, write }) {
      session.format = undefined;
      write("Answers are plain text.\n");
    },
  },
  {
    name: "think",
    value: "LEVEL",
    text: "let the model reason first; LEVEL: low, medium or high",
    run({ session, write }, value) {
      session.think = parseThink(value === "" ? "true" : value, "/set think");
      session.hideThinking = false;
      write("The model reasons before it answers, if it can.\n");
    },
  },
  {
    name: "nothink",
    text: "answer without reasoning",
    run({ session, write }) {
      session.think = false;
      write("The model answers without reasoning, if it can.\n");
    },
  },
  {
    name: "verbose",
    text: "report rates after each answer",
    run({ session, write }) {
      session.verbose = true;
      write("Rates are reported after each answer.\n");
    },
  },
  {
    name: "quiet",
    text: "report no rates",
    run({ session, write }) {
      session.verbose = false;
      write("Rates are not reported.\n");
    },
  },
  {
    name: "history",
    text: "keep what is typed in the history file",
    run({ history, write }) {
      history.enabled = true;
      write("What is typed is kept in the history file.\n");
    },
  },
  {
    name: "nohistory",
    text: "keep nothing from here on",
    run({ history, write }) {
      history.enabled = false;
      write("Nothing typed from here on is kept.\n");
    },
  },
];

export async function runSet(repl: Repl, line: string, signal: AbortSignal): Promise<void> {
  const [, name = "", value = ""] = /^(\S*)\s*([\s\S]*)$/.exec(line) ?? [];
  if (name === "") {
    const { stdout } = repl.context.io;
    repl.write(
      formatPairs(
        stdout,
        setTable.map((row) => [`/set ${row.name}${row.value === undefined ? "" : ` ${row.value}`}`, row.text]),
      ),
    );
    return;
  }
  const row = setTable.find((candidate) => candidate.name === name);
  if (!row) {
    const names = setTable.map((candidate) => candidate.name);
    throw new HearthError("usage", `"${name}" cannot be set.${didYouMean(name, names)}`, {
      hint: "/set alone lists what can.",
    });
  }
  await row.run(repl, value, signal);
}

function setOne({ context, session, write }: Repl, line: string): void {
  const [, name = "", value = ""] = /^(\S*)\s*([\s\S]*)$/.exec(line) ?? [];
  if (name === "") {
    write(formatPairs(context.io.stdout, listParameters(session.parameters)) || "No parameter is set.\n");
    return;
  }
  if (value === "") throw new HearthError("usage", `/set parameter ${name} needs a value.`, { hint: "" });
  setParameter(session.parameters, name, value);
  write(`${name} is ${value}.\n`);
}

function setSystem({ session, write }: Repl, value: string): void {
  const text = unquote(value);
  const quoted = /^"(.*)"$/s.exec(text.trim());
  session.system = text.trim() === "" ? undefined : (quoted?.[1] ?? text);
  write(session.system === undefined ? "There is no system message.\n" : "The system message is set.\n");
}
