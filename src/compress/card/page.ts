/** A card as a page of its own: no script, nothing from the network. */
import type { Card } from "./card.ts";
import { cardLines, figure } from "./lines.ts";
import type { Line } from "./lines.ts";

export function cardPage(card: Card): string {
  const { model, createdAt, comparison, size } = card;
  const plots = comparison
    ? [
        bars("Bits per weight.", { reference: comparison.referenceSize.bitsPerWeight, model: size.bitsPerWeight }),
        divergencePlot(comparison.quantiles),
      ]
    : [];
  return page({ title: model, lines: cardLines(card), plots, createdAt });
}

export interface Page {
  readonly title: string;
  readonly lines: readonly Line[];
  /** HTML. */
  readonly plots: readonly string[];
  readonly createdAt: string;
}

/** A table, plots under it, and when it was made. */
export function page({ title, lines, plots, createdAt }: Page): string {
  const rows = lines.map(([name, value]) => `<tr><th>${escape(name)}</th><td>${escape(value)}</td></tr>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)}</title>
<style>${style}</style>
<h1>${escape(title)}</h1>
<table>${rows.join("\n")}</table>
${plots.join("\n")}
<p>Made ${escape(createdAt)}.</p>
</html>
`;
}

const style = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
h1 { font-size: 1.4rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: normal; color: #666; white-space: nowrap; padding-right: 1.5rem; vertical-align: top }
td, th { border-bottom: 1px solid #ddd; padding-top: .3rem; padding-bottom: .3rem }
figure { margin: 2rem 0 }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: #444 }
figcaption, p { color: #666; font-size: .9rem }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } td, th { border-color: #333 } svg { fill: #bbb } }
`;

const [width, height] = [640, 280] as const;
const edge = { left: 64, right: 16, top: 16, bottom: 40 } as const;

interface Quantile {
  readonly part: number;
  readonly value: number;
}

/** The share of places whose divergence is at most so much, on a logarithmic axis. */
function divergencePlot(quantiles: readonly Quantile[]): string {
  const positive = quantiles.filter(({ value }) => value > 0);
  const [first, last] = [positive[0], positive.at(-1)];
  if (!first || !last || positive.length < 2) return "";
  const low = Math.floor(Math.log10(first.value));
  const high = Math.max(low + 1, Math.ceil(Math.log10(last.value)));
  const x = (value: number): number =>
    edge.left + ((Math.log10(value) - low) / (high - low)) * (width - edge.left - edge.right);
  const y = (part: number): number => height - edge.bottom - part * (height - edge.top - edge.bottom);
  const powers = Array.from({ length: high - low + 1 }, (_, index) => low + index);
  const grid = [
    ...powers.map((power) => axisMark({ x: x(10 ** power), text: figure(10 ** power), vertical: true })),
    ...[0, 0.25, 0.5, 0.75, 1].map((part) => axisMark({ y: y(part), text: `${part * 100} %`, vertical: false })),
  ];
  const points = positive.map(({ part, value }) => `${x(value).toFixed(1)},${y(part).toFixed(1)}`);
  return `<figure><svg viewBox="0 0 ${width} ${height}" role="img">
${grid.join("\n")}
<polyline points="${points.join(" ")}" fill="none" stroke="#2a6fbb" stroke-width="2"/>
</svg><figcaption>Part of the places at which the model's probabilities are at most so far (KL divergence, nats) from those of the reference.</figcaption></figure>`;
}

type Mark =
  | { readonly vertical: true; readonly x: number; readonly text: string }
  | { readonly vertical: false; readonly y: number; readonly text: string };

function axisMark(mark: Mark): string {
  const line = mark.vertical
    ? `x1="${mark.x.toFixed(1)}" x2="${mark.x.toFixed(1)}" y1="${edge.top}" y2="${height - edge.bottom}"`
    : `x1="${edge.left}" x2="${width - edge.right}" y1="${mark.y.toFixed(1)}" y2="${mark.y.toFixed(1)}"`;
  const place = mark.vertical
    ? `x="${mark.x.toFixed(1)}" y="${height - edge.bottom + 18}" text-anchor="middle"`
    : `x="${edge.left - 8}" y="${(mark.y + 4).toFixed(1)}" text-anchor="end"`;
  return `<line ${line} stroke="#888" stroke-opacity=".3"/><text ${place}>${escape(mark.text)}</text>`;
}

export interface Bars {
  readonly reference: number;
  readonly model: number;
}

/** A number of a model and of that which it was made from. */
export function bars(caption: string, { reference, model }: Bars): string {
  const room = width - 140 - 60;
  const drawn = [["reference", reference, "#999"] as const, ["model", model, "#2a6fbb"] as const].map(
    ([name, value, color], index) => {
      const length = (value / Math.max(model, reference)) * room;
      const top = 8 + index * 30;
      return `<text x="132" y="${top + 15}" text-anchor="end">${name}</text>
<rect x="140" y="${top}" width="${length.toFixed(1)}" height="20" fill="${color}"/>
<text x="${(148 + length).toFixed(1)}" y="${top + 15}">${value.toFixed(2)}</text>`;
    },
  );
  return `<figure><svg viewBox="0 0 ${width} 68" role="img">${drawn.join("\n")}</svg><figcaption>${escape(caption)}</figcaption></figure>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
