import type { Box } from "../../spec/media.ts";
import type { Column } from "../../terminal/table.ts";

export function percent(score: number): string {
  return `${(score * 100).toFixed(1)}%`;
}

/** Of a box in pixels. */
export const boxColumns: readonly Column<{ readonly box: Box }>[] = (["x", "y", "width", "height"] as const).map(
  (side) => ({
    title: side.toUpperCase(),
    value: ({ box }) => String(Math.round(box[side])),
    align: "right",
  }),
);
