import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { lines } from "../../formats/tflite/metadata.ts";
import type { TfliteMetadata } from "../../formats/tflite/metadata.ts";

const mostBytes = 4 * 1024 ** 2;
/** A class in front of the others that the outputs do not count. */
const placeholder = /^(\?\?\?|background|unlabell?ed|dummy)$/i;

/** The names of classes: those in the model itself, else those in a text file beside it. */
export function findLabels(path: string, metadata: TfliteMetadata | undefined): readonly string[] | undefined {
  return metadata?.outputs.find(({ labels }) => labels)?.labels ?? labelsBeside(path);
}

function labelsBeside(path: string): readonly string[] | undefined {
  const folder = dirname(path);
  const stem = basename(path).replace(/\.tflite$/i, "");
  const texts = readdirSync(folder).filter((name) => name.toLowerCase().endsWith(".txt"));
  const own = texts.find((name) => name === `${stem}.txt`);
  const named = texts.filter((name) => /label|class|map/i.test(name));
  const name = own ?? (named.length === 1 ? named[0] : undefined);
  if (name === undefined || statSync(join(folder, name)).size > mostBytes) return undefined;
  return lines(readFileSync(join(folder, name)));
}

/** Of outputs that count a class for the background, and of those that do not. */
export function labelAt(labels: readonly string[] | undefined, index: number, isShifted: boolean): string {
  const shift = isShifted && placeholder.test(labels?.[0] ?? "") ? 1 : 0;
  // Some lists have the number in front: `12 zebra`, `12: zebra`.
  return labels?.[index + shift]?.replace(/^\d+[:\s]\s*/, "") || String(index);
}
