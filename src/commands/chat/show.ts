/** `/show`: what the model is, and what has been set. */
import { HearthError } from "../../error.ts";
import { plain } from "../../terminal/style.ts";
import { formatPairs } from "../../terminal/table.ts";
import { didYouMean } from "../../util/distance.ts";
import { describeModel, formatFacts, readLicense } from "../describe.ts";
import { listParameters } from "./parameters.ts";
import type { Repl } from "./repl.ts";
import type { SlashRow } from "./slash.ts";

export const showTable: readonly SlashRow[] = [
  {
    name: "info",
    text: "facts about the model",
    async run({ context, session, write }) {
      write(formatFacts(context.io.stdout, await describeModel(await context.hearth(), session.model)));
    },
  },
  {
    name: "parameters",
    text: "what is set, and what the model brings",
    async run({ context, session, write }) {
      const { overrides } = await describeModel(await context.hearth(), session.model);
      const brought = Object.entries(overrides?.parameters ?? {}).map(
        ([name, value]) => [name, JSON.stringify(value)] as const,
      );
      const text = formatPairs(context.io.stdout, [...brought, ...listParameters(session.parameters)]);
      write(text === "" ? "No parameter is set.\n" : text);
    },
  },
  {
    name: "system",
    text: "the system message",
    async run({ context, session, write }) {
      const { overrides } = await describeModel(await context.hearth(), session.model);
      write(`${plain(session.system ?? overrides?.system ?? "There is no system message.")}\n`);
    },
  },
  {
    name: "template",
    text: "the chat template",
    async run({ context, session, write }) {
      const { template } = await describeModel(await context.hearth(), session.model);
      write(`${plain(template ?? "The model has no chat template.")}\n`);
    },
  },
  {
    name: "license",
    text: "the license of the model",
    async run({ context, session, write }) {
      const { library } = await context.hearth();
      const model = await library.resolve(session.model);
      write(`${plain((await readLicense(model)) ?? "The model names no license.")}\n`);
    },
  },
];

export async function runShow(repl: Repl, what: string, signal: AbortSignal): Promise<void> {
  if (what === "") {
    repl.write(
      formatPairs(
        repl.context.io.stdout,
        showTable.map((row) => [`/show ${row.name}`, row.text]),
      ),
    );
    return;
  }
  const row = showTable.find((candidate) => candidate.name === what);
  if (!row) {
    const names = showTable.map((candidate) => candidate.name);
    throw new HearthError("usage", `"${what}" cannot be shown.${didYouMean(what, names)}`, {
      hint: "/show alone lists what can.",
    });
  }
  await row.run(repl, "", signal);
}
