import type { Output } from "./io.ts";
import { plain, style, width } from "./style.ts";

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: "right";
}

/** Rows under their titles, columns two spaces apart, a line end after each. */
export function formatTable<Row>(stream: Output, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map((column) => plain(column.value(row))));
  const widths = columns.map((column, index) =>
    Math.max(width(column.title), ...cells.map((line) => width(line[index] ?? ""))),
  );
  const render = (line: readonly string[]): string =>
    columns
      .map((column, index) => {
        const text = line[index] ?? "";
        const gap = " ".repeat((widths[index] ?? 0) - width(text));
        return column.align === "right" ? gap + text : text + gap;
      })
      .join("  ")
      .trimEnd();
  const head = render(columns.map((column) => column.title));
  return [style(stream, "dim", head), ...cells.map(render)].map((line) => `${line}\n`).join("");
}

/** `name  value` lines, the names in one column. Lines without a value are left out. */
export function formatPairs(stream: Output, pairs: readonly (readonly [string, string | undefined])[]): string {
  const present = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined && pair[1] !== "");
  const widest = Math.max(0, ...present.map(([name]) => width(name)));
  return present.map(([name, value]) => `  ${style(stream, "dim", name.padEnd(widest))}  ${plain(value)}\n`).join("");
}
