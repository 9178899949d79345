import { defineCommand, serverSettingNames, type Command } from "./command.ts";
import { connectServer } from "./connect.ts";
import { drawModels } from "./top/draw.ts";
import { createScreen } from "./top/screen.ts";
import { createViews, type ModelView } from "./top/view.ts";

const refreshMs = 1000;

export const top: Command = defineCommand({
  name: "top",
  text: "Shows what the models of the running server do, anew every second until Ctrl-C. Rates are of the last second; the rest is of the last minute, or of all the time where that had none.",
  arguments: [],
  flags: {
    once: {
      kind: "switch",
      text: "one table, after a second; the default where the output is no terminal, but for --json",
    },
  },
  settings: serverSettingNames,
  examples: ["hearth top", "hearth top --once", "hearth top --json"],
  async run(context) {
    const { flags, io, json, services, signal } = context;
    const client = await connectServer(context);
    const views = createViews();
    const screen = createScreen(io.stdout);
    const read = async (): Promise<readonly ModelView[]> => views(await client.stats({ signal }));
    const show = (models: readonly ModelView[]): void => {
      if (json) io.stdout.write(`${JSON.stringify({ at: new Date(), models })}\n`);
      else screen(drawModels(io.stdout, models));
    };
    const live = !flags.once && (json || io.stdout.isTTY === true);
    try {
      // The first reading has no rates yet, for want of an earlier one.
      const first = await read();
      if (live) show(first);
      for (let more = true; more; more = live) {
        await services.sleep(refreshMs, signal);
        show(await read());
      }
    } catch (error) {
      // Ctrl-C is how it ends.
      if (!live || !signal.aborted) throw error;
    }
  },
});
