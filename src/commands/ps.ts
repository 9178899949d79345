import { formatAge } from "../terminal/age.ts";
import { formatTable } from "../terminal/table.ts";
import { formatBytes } from "../util/format.ts";
import { defineCommand, serverSettingNames, type Command } from "./command.ts";
import { connectServer } from "./connect.ts";
import type { LoadedSummary } from "../client/types.ts";

export const ps: Command = defineCommand({
  name: "ps",
  text: "Lists the models that the running server has loaded.",
  arguments: [],
  settings: serverSettingNames,
  async run(context) {
    const models = await (await connectServer(context)).loaded({ signal: context.signal });
    if (context.json) {
      context.writeJson({ models });
      return;
    }
    const { stdout } = context.io;
    stdout.write(formatTable(stdout, columns, models));
    if (models.length === 0) context.status.note("No model is loaded.");
  },
});

const columns = [
  { title: "NAME", value: (row: LoadedSummary) => row.name },
  { title: "ENGINE", value: (row: LoadedSummary) => row.engine },
  { title: "DEVICE", value: (row: LoadedSummary) => row.device },
  { title: "MEMORY", value: (row: LoadedSummary) => formatBytes(row.ramBytes + row.vramBytes), align: "right" },
  { title: "CONTEXT", value: (row: LoadedSummary) => String(row.contextTokens), align: "right" },
  { title: "STATE", value: (row: LoadedSummary) => row.state },
  { title: "RUNNING", value: (row: LoadedSummary) => String(row.running), align: "right" },
  { title: "WAITING", value: (row: LoadedSummary) => String(row.waiting), align: "right" },
  { title: "UNTIL", value: (row: LoadedSummary) => (row.expiresAt ? formatAge(row.expiresAt) : "stopped") },
] as const;
