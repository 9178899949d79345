import { defineCommand, type Command } from "./command.ts";
import { toModelJson } from "./list.ts";

export const cp: Command = defineCommand({
  name: "cp",
  text: "Gives a model a second name. No bytes are copied.",
  arguments: [
    { name: "SOURCE", text: "an installed model", required: true },
    { name: "DESTINATION", text: "the new name", required: true },
  ],
  async run({ args, hearth, io, json, writeJson }) {
    const [source = "", destination = ""] = args;
    const { library } = await hearth();
    const model = await library.copy(source, destination);
    if (json) writeJson(toModelJson(model));
    else io.stdout.write(`${model.name} is ${source} by another name.\n`);
  },
});
