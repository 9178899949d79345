import { existsSync } from "node:fs";
import type { AnyCard } from "../compress/card/card.ts";
import { cardPath } from "../compress/card/path.ts";
import { plain, style } from "../terminal/style.ts";
import { formatPairs } from "../terminal/table.ts";
import { defineCommand, type Command } from "./command.ts";
import { describeModel, formatFacts, readLicense } from "./describe.ts";

export const show: Command = defineCommand({
  name: "show",
  text: "Says what a model is and can do.",
  arguments: [{ name: "MODEL", text: "an installed model", required: true }],
  flags: {
    template: { kind: "switch", text: "print the chat template only" },
    license: { kind: "switch", text: "print the license only" },
    parameters: { kind: "switch", text: "print the parameters that the model brings" },
    system: { kind: "switch", text: "print the system message that the model brings" },
    metadata: { kind: "switch", text: "print all metadata of the weights" },
  },
  async run({ args, flags, hearth: open, io, json, writeJson }) {
    const hearth = await open();
    const facts = await describeModel(hearth, args[0] ?? "");
    const write = (text: string | undefined, nothing: string): void => {
      io.stdout.write(`${plain(text ?? nothing).trimEnd()}\n`);
    };
    const weights = facts.files.find(({ role }) => role === "weights");
    const card = weights && (await findCard(weights.path));
    if (json) {
      writeJson({ ...facts, card });
    } else if (flags.template) {
      write(facts.template, "The model has no chat template.");
    } else if (flags.license) {
      const model = await hearth.library.resolve(facts.name);
      write((await readLicense(model)) ?? facts.license, "The model names no license.");
    } else if (flags.system) {
      write(facts.overrides?.system, "The model brings no system message.");
    } else if (flags.parameters) {
      const pairs = Object.entries(facts.overrides?.parameters ?? {});
      const lines = pairs.map(([name, value]) => [name, JSON.stringify(value)] as const);
      io.stdout.write(formatPairs(io.stdout, lines) || "The model brings no parameters.\n");
    } else if (flags.metadata) {
      const lines = Object.entries(facts.metadata).map(([name, value]) => [name, String(value)] as const);
      io.stdout.write(formatPairs(io.stdout, lines));
    } else {
      io.stdout.write(formatFacts(io.stdout, facts));
      if (card) {
        const lines = formatPairs(io.stdout, await linesOf(card));
        io.stdout.write(`\n${style(io.stdout, "dim", "quality card")}\n${lines}`);
      }
    }
  },
});

/** The code that reads cards is needed only where there is one. */
async function findCard(weights: string): Promise<AnyCard | undefined> {
  if (!existsSync(cardPath(weights))) return undefined;
  return await (await import("../compress/card/card.ts")).readCard(weights);
}

async function linesOf(card: AnyCard): Promise<readonly (readonly [string, string])[]> {
  if ("format" in card) return (await import("../compress/onnx/card.ts")).onnxCardTable(card);
  return (await import("../compress/card/lines.ts")).cardLines(card);
}
