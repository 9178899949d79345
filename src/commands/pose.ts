import type { Figure } from "../spec/perform.ts";
import { formatTable } from "../terminal/table.ts";
import type { Command } from "./command.ts";
import { boxColumns, percent } from "./tasks/columns.ts";
import { defineLook } from "./tasks/look.ts";

export const pose: Command = defineLook({
  task: "pose",
  text: "Finds the joints of people or hands, or the points of faces: a table, and the picture with them.",
  print: ({ figures }, stdout) => formatTable(stdout, columns, figures),
  toJson: ({ figures }) => ({ figures }),
});

const columns = [
  { title: "FIGURE", value: (row: Figure) => row.label ?? "figure" },
  { title: "SCORE", value: (row: Figure) => percent(row.score), align: "right" },
  ...boxColumns,
  { title: "POINTS", value: (row: Figure) => String(row.keypoints.length), align: "right" },
] as const;
