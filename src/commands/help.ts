import { HearthError } from "../error.ts";
import { didYouMean } from "../util/distance.ts";
import { defineCommand, type Command } from "./command.ts";
import { formatCommandHelp, formatMainHelp, formatSettingsHelp, toHelpJson } from "./usage.ts";

export const help: Command = defineCommand({
  name: "help",
  text: "Explains a command, or lists them all.",
  arguments: [{ name: "COMMAND", text: "a command, or `settings`" }],
  examples: ["hearth help run", "hearth help settings"],
  async run({ args, commands, io, json, writeJson }) {
    const [name] = args;
    if (json) {
      const rows = commands.filter((row) => name === undefined || row.name === name);
      writeJson({ commands: (await Promise.all(rows.map((row) => row.load()))).map(toHelpJson) });
    } else if (name === undefined) {
      io.stdout.write(formatMainHelp(io.stdout, commands));
    } else if (name === "settings") {
      io.stdout.write(formatSettingsHelp(io.stdout));
    } else {
      const row = commands.find((candidate) => candidate.name === name || candidate.aliases?.includes(name) === true);
      if (!row) {
        const names = [...commands.map((candidate) => candidate.name), "settings"];
        throw new HearthError("usage", `hearth has no command "${name}".${didYouMean(name, names)}`);
      }
      io.stdout.write(formatCommandHelp(io.stdout, await row.load()));
    }
  },
});
