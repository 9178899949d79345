import { formatTable } from "../terminal/table.ts";
import { defineCommand, parseNumber, type Command } from "./command.ts";
import { percent } from "./tasks/columns.ts";
import { modelFlag, taskModel, textTaskSettings } from "./tasks/ready.ts";

export const rerank: Command = defineCommand({
  name: "rerank",
  text: "Orders documents by how well they answer a question.",
  arguments: [
    { name: "QUERY", text: "the question", required: true },
    { name: "DOCUMENT", text: "the documents", required: true, rest: true },
  ],
  flags: {
    model: modelFlag("rerank"),
    top: { kind: "value", value: "N", text: "only the best N", parse: parseNumber },
  },
  settings: textTaskSettings,
  examples: ['hearth rerank "Who wrote Faust?" "Goethe wrote it." "Rivers run to the sea."'],
  async run(context) {
    const { args, flags, io, json, signal, writeJson } = context;
    const [query = "", ...documents] = args;
    const model = await taskModel(context, "rerank", flags.model);
    const hearth = await context.hearth();
    const { top: topN } = flags;
    const { results } = await hearth.rerank({ model, query, documents, signal, ...(topN !== undefined && { topN }) });
    const rows = results.map(({ index, score }) => ({ index, score, document: documents[index] ?? "" }));
    if (json) writeJson({ model, results: rows });
    else io.stdout.write(formatTable(io.stdout, columns, rows));
  },
});

interface Ranked {
  readonly score: number;
  readonly document: string;
}

const columns = [
  { title: "SCORE", value: (row: Ranked) => percent(row.score), align: "right" },
  { title: "DOCUMENT", value: (row: Ranked) => row.document },
] as const;
