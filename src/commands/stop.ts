import { HearthError } from "../error.ts";
import { didYouMean } from "../util/distance.ts";
import { defineCommand, serverSettingNames, type Command } from "./command.ts";
import { connectServer } from "./connect.ts";

export const stop: Command = defineCommand({
  name: "stop",
  text: "Unloads a model of the running server. Its running requests end with an error.",
  arguments: [{ name: "MODEL", text: "a loaded model", required: true }],
  settings: serverSettingNames,
  async run(context) {
    const [name = ""] = context.args;
    const { signal, json, io } = context;
    const client = await connectServer(context);
    const stopped = await client.stop(name, { signal });
    if (!stopped) {
      const loaded = await client.loaded({ signal });
      const names = loaded.map((row) => row.name);
      throw new HearthError("model_not_found", `"${name}" is not loaded.${didYouMean(name, names)}`, {
        hint: "`hearth ps` lists the loaded models.",
      });
    }
    if (json) context.writeJson({ stopped: name });
    else io.stdout.write(`${name} is unloaded.\n`);
  },
});
