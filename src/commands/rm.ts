import { defineCommand, type Command } from "./command.ts";

export const rm: Command = defineCommand({
  name: "rm",
  text: "Removes models, and the bytes that no other model needs. Files of other tools are never touched.",
  arguments: [{ name: "MODEL", text: "an installed model", required: true, rest: true }],
  async run({ args, hearth, io, json, writeJson }) {
    const { library } = await hearth();
    // All names are checked before the first one is removed.
    const models = await Promise.all(args.map((name) => library.resolve(name)));
    const removed: string[] = [];
    for (const { name } of models) {
      await library.remove(name);
      removed.push(name);
      if (!json) io.stdout.write(`${name} is removed.\n`);
    }
    if (json) writeJson({ removed });
  },
});
