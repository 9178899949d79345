import { parseText } from "../config/values.ts";
import { defineCommand, type Command } from "./command.ts";
import { modelFlag, runTask, taskSettings } from "./tasks/ready.ts";

export const translate: Command = defineCommand({
  name: "translate",
  text: "Translates a text.",
  arguments: [{ name: "TEXT", text: "the text", required: true, rest: true }],
  flags: {
    model: modelFlag("translate"),
    from: { kind: "value", value: "CODE", text: "language of the text, where the model has several", parse: parseText },
    to: {
      kind: "value",
      value: "CODE",
      text: "language that is wanted, where the model has several",
      parse: parseText,
    },
  },
  settings: taskSettings,
  examples: ['hearth translate --model MODEL "Good morning."'],
  async run(context) {
    const { args, flags, io, json, writeJson } = context;
    const { model, from, to } = flags;
    const input = { text: args.join(" "), ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
    const { text } = await runTask(context, "translate", { model, input });
    if (json) writeJson({ text });
    else io.stdout.write(`${text}\n`);
  },
});
