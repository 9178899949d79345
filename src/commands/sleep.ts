import { defineCommand, serverSettingNames, type Command } from "./command.ts";
import { connectServer } from "./connect.ts";

export const sleep: Command = defineCommand({
  name: "sleep",
  text: "Puts an idle model of the running server to sleep now: it gives its memory back until the next request. A server does so by itself, see --sleep-after.",
  arguments: [{ name: "MODEL", text: "a loaded model", required: true }],
  settings: serverSettingNames,
  async run(context) {
    const [name = ""] = context.args;
    const { signal, json, io } = context;
    await (await connectServer(context)).sleep(name, { signal });
    if (json) context.writeJson({ asleep: name });
    else io.stdout.write(`${name} is asleep.\n`);
  },
});
