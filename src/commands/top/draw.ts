/** The tables of `hearth top`: what each model does, and how well. */
import type { Output } from "../../terminal/io.ts";
import { width } from "../../terminal/style.ts";
import { type Column, formatTable } from "../../terminal/table.ts";
import { formatBytes, formatDuration } from "../../util/format.ts";
import type { ModelView, Percentiles } from "./view.ts";

const unknown = "-";
const barCells = 8;
const shortestName = 8;

const work: readonly Column<ModelView>[] = [
  { title: "NAME", value: ({ name }) => name },
  { title: "STATE", value: ({ state }) => state },
  { title: "ENGINE", value: ({ engine }) => engine },
  { title: "RUNNING", value: ({ running }) => String(running), align: "right" },
  { title: "WAITING", value: ({ waiting }) => String(waiting), align: "right" },
  { title: "PROMPT/S", value: (row) => formatRate(row.promptTokensPerSecond), align: "right" },
  { title: "ANSWER/S", value: (row) => formatRate(row.answerTokensPerSecond), align: "right" },
  { title: "PER STEP", value: (row) => formatRate(row.tokensPerStep), align: "right" },
  { title: "MEMORY", value: (row) => formatBytes(row.ramBytes + row.vramBytes), align: "right" },
];

const quality: readonly Column<ModelView>[] = [
  { title: "NAME", value: ({ name }) => name },
  { title: "USED/CACHED/ALL", value: ({ blocks }) => formatBlocks(blocks) },
  { title: "HITS", value: (row) => formatShare(row.memoryHits), align: "right" },
  { title: "DISK", value: (row) => formatShare(row.diskHits), align: "right" },
  { title: "GUESSES", value: (row) => formatShare(row.acceptance), align: "right" },
  { title: "FIRST P50/P99", value: (row) => formatPercentiles(row.firstTokenMs), align: "right" },
  { title: "NEXT P50/P99", value: (row) => formatPercentiles(row.betweenTokensMs), align: "right" },
];

export function drawModels(stream: Output, models: readonly ModelView[]): string {
  if (models.length === 0) return "No model is loaded.\n";
  return `${draw(stream, work, models)}\n${draw(stream, quality, models)}`;
}

/** Names give way where the terminal is too narrow. */
function draw(stream: Output, columns: readonly Column<ModelView>[], models: readonly ModelView[]): string {
  const table = formatTable(stream, columns, models);
  const excess = Math.max(...table.split("\n").map(width)) - (stream.columns || Infinity);
  if (excess <= 0) return table;
  const longest = Math.max(...models.map(({ name }) => width(name)));
  const room = Math.max(shortestName, longest - excess);
  return formatTable(
    stream,
    columns,
    models.map((model) => ({ ...model, name: shorten(model.name, room) })),
  );
}

export function shorten(text: string, room: number): string {
  const characters = Array.from(text);
  return characters.length <= room ? text : `${characters.slice(0, Math.max(0, room - 1)).join("")}…`;
}

function formatRate(value: number | undefined): string {
  if (value === undefined) return unknown;
  return value >= 100 || value === 0 ? value.toFixed(0) : value.toFixed(1);
}

function formatShare(value: number | undefined): string {
  return value === undefined ? unknown : `${(100 * value).toFixed(0)}%`;
}

/** `##==.... 24/31/128` blocks: used by running requests, cached for prompts to come, of all. */
function formatBlocks(blocks: ModelView["blocks"]): string {
  if (!blocks || blocks.total === 0) return unknown;
  const { used, cached, total } = blocks;
  const cells = (count: number): number => Math.min(barCells, Math.round((barCells * count) / total));
  const [usedCells, heldCells] = [cells(used), cells(used + cached)];
  const bar = "#".repeat(usedCells) + "=".repeat(heldCells - usedCells) + ".".repeat(barCells - heldCells);
  return `${bar} ${used}/${cached}/${total}`;
}

function formatPercentiles(values: Percentiles | undefined): string {
  return values ? `${formatTime(values.p50)}/${formatTime(values.p99)}` : unknown;
}

function formatTime(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)}ms` : formatDuration(ms);
}
