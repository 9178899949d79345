import { defineCommand, type Command } from "./command.ts";
import { packageVersion } from "../util/package.ts";

export const version: Command = defineCommand({
  name: "version",
  text: "Prints the version.",
  arguments: [],
  async run({ io, json, writeJson }) {
    const { version: node, platform, arch } = process;
    if (json) writeJson({ version: packageVersion(), node: node.slice(1), platform, architecture: arch });
    else io.stdout.write(`hearth ${packageVersion()}\n`);
  },
});
