import type { DetectedObject } from "../spec/perform.ts";
import { formatTable } from "../terminal/table.ts";
import type { Command } from "./command.ts";
import { boxColumns, percent } from "./tasks/columns.ts";
import { defineLook } from "./tasks/look.ts";

export const detect: Command = defineLook({
  task: "detect",
  text: "Finds objects in a picture: a table, and the picture with boxes.",
  print: ({ objects }, stdout) => formatTable(stdout, columns, objects),
  toJson: ({ objects }) => ({ objects }),
});

const columns = [
  { title: "LABEL", value: (row: DetectedObject) => row.label },
  { title: "SCORE", value: (row: DetectedObject) => percent(row.score), align: "right" },
  ...boxColumns,
] as const;
