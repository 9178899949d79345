import type { Mask, Segment } from "../spec/perform.ts";
import { formatTable } from "../terminal/table.ts";
import type { Command } from "./command.ts";
import { percent } from "./tasks/columns.ts";
import { defineLook } from "./tasks/look.ts";

export const segment: Command = defineLook({
  task: "segment",
  text: "Finds which pixels of a picture belong to what: a table, and the picture with colored areas.",
  print: ({ segments }, stdout) => formatTable(stdout, columns, segments),
  toJson: ({ segments }) => ({
    segments: segments.map(({ label, score, mask }) => ({ label, score, share: shareOf(mask) })),
  }),
});

const columns = [
  { title: "LABEL", value: (row: Segment) => row.label },
  { title: "SCORE", value: (row: Segment) => percent(row.score), align: "right" },
  { title: "OF THE PICTURE", value: (row: Segment) => percent(shareOf(row.mask)), align: "right" },
] as const;

/** Part of the picture that a mask covers, 0 to 1. */
function shareOf({ data }: Mask): number {
  return data.reduce((sum, value) => sum + value, 0) / (255 * Math.max(1, data.length));
}
