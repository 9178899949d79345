import { converse } from "./chat/converse.ts";
import { chatFlags } from "./chat/flags.ts";
import { defineCommand, loadSettingNames, pullSettingNames, type Command } from "./command.ts";

/** What `hearth` alone does. It has no name of its own. */
export const chat: Command = defineCommand({
  name: "",
  text: "Opens a chat with the default model, which is fetched first when it is missing.",
  arguments: [],
  flags: chatFlags,
  settings: [
    "defaultModel",
    "keepAlive",
    "sleepAfter",
    "overflow",
    "diskCache",
    ...loadSettingNames,
    ...pullSettingNames,
  ],
  async run(context) {
    await converse(context, context.settings.defaultModel, []);
  },
});
