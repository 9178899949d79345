import type { Entity } from "../spec/perform.ts";
import { formatTable } from "../terminal/table.ts";
import { defineCommand, type Command } from "./command.ts";
import { percent } from "./tasks/columns.ts";
import { modelFlag, runTask, taskSettings } from "./tasks/ready.ts";

export const entities: Command = defineCommand({
  name: "entities",
  text: "Finds names of people, places and other entities in a text.",
  arguments: [{ name: "TEXT", text: "the text", required: true, rest: true }],
  flags: { model: modelFlag("tokens") },
  settings: taskSettings,
  examples: ['hearth entities --model MODEL "Ada Lovelace lived in London."'],
  async run(context) {
    const { args, flags, io, json, writeJson } = context;
    const input = { texts: [args.join(" ")] };
    const { entities: found } = await runTask(context, "tokens", { model: flags.model, input });
    if (json) writeJson({ entities: found[0] ?? [] });
    else io.stdout.write(formatTable(io.stdout, columns, found[0] ?? []));
  },
});

const columns = [
  { title: "TEXT", value: (row: Entity) => row.text },
  { title: "LABEL", value: (row: Entity) => row.label },
  { title: "SCORE", value: (row: Entity) => percent(row.score), align: "right" },
  { title: "AT", value: (row: Entity) => `${row.start}–${row.end}`, align: "right" },
] as const;
