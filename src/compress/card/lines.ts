/** A card as lines of a table, for the terminal and for the page. */
import { formatBytes, formatCount } from "../../util/format.ts";
import type { Card } from "./card.ts";
import { prunedLines } from "./pruned.ts";

export type Line = readonly [name: string, value: string];

export function cardLines(card: Card): Line[] {
  return [...prunedLines(card.pruned ?? {}), ...sizeLines(card), ...qualityLines(card), ...speedLines(card)];
}

function sizeLines({ size, comparison }: Card): Line[] {
  const types = Object.entries(size.types).toSorted((a, b) => b[1] - a[1]);
  const source = comparison?.referenceSize;
  const than = (text: string | undefined): string => (text === undefined ? "" : `; the reference has ${text}`);
  return [
    ["weights", `${formatBytes(size.dataBytes)}${than(source && formatBytes(source.dataBytes))}`],
    ["bits per weight", `${size.bitsPerWeight.toFixed(2)}${than(source?.bitsPerWeight.toFixed(2))}`],
    ["types", types.map(([type, weights]) => `${type} ${formatCount(weights)}`).join(", ")],
    ...(size.importance === undefined ? [] : [["importance", size.importance] as const]),
  ];
}

function qualityLines({ text, perplexity, comparison, choices }: Card): Line[] {
  const lines: Line[] = [
    ["text", `${text.name}: ${text.scoredTokens} tokens scored in ${text.windows} windows of ${text.windowTokens}`],
    ["perplexity", withError(perplexity, 4)],
  ];
  if (comparison) {
    const { reference, referencePerplexity, divergence, quantiles, agreement } = comparison;
    const ratio = perplexity.value / referencePerplexity.value - 1;
    const at = (part: number): string => figure(quantiles.find((quantile) => quantile.part === part)?.value ?? 0);
    lines.push(
      ["reference", reference],
      ["its perplexity", `${withError(referencePerplexity, 4)}; the model is ${signed(ratio * 100)} % off`],
      ["KL divergence", `${figure(divergence.value)} ± ${figure(divergence.error)} nats`],
      ["", `90 %: ${at(0.9)}, 99 %: ${at(0.99)}, 99.9 %: ${at(0.999)}, most: ${at(1)}`],
      ["same likeliest token", percent(agreement)],
    );
  }
  if (choices) lines.push(["choices", `${percent(choices.accuracy)} of ${choices.questions} of ${choices.name}`]);
  return lines;
}

function speedLines({ speed: { threads, textRate, answerRate, memoryBytes } }: Card): Line[] {
  return [
    ["speed", `text ${textRate.toFixed(1)} tokens/s, answer ${answerRate.toFixed(1)} tokens/s, ${threads} threads`],
    ["memory", formatBytes(memoryBytes)],
  ];
}

interface Mean {
  readonly value: number;
  readonly error: number;
}

function withError({ value, error }: Mean, digits: number): string {
  return `${value.toFixed(digits)} ± ${error.toFixed(digits)}`;
}

function percent({ value, error }: Mean): string {
  return `${(value * 100).toFixed(2)} ± ${(error * 100).toFixed(2)} %`;
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

/** Three figures that count. */
export function figure(value: number): string {
  return value === 0 ? "0" : Number(value.toPrecision(3)).toString();
}
