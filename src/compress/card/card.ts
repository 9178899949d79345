/** The quality card of a model: what it was made from, how large it is, how good, and how fast. */
import { readFile } from "node:fs/promises";
import { HearthError } from "../../error.ts";
import type { Evaluation } from "../evaluate/contract.ts";
import type { OnnxCard } from "../onnx/card.ts";
import { parseOnnxCard } from "../onnx/card-schema.ts";
import type { PruneFacts } from "../prune/contract.ts";
import { cardPath } from "./path.ts";
import { parseCard } from "./schema.ts";

export interface Card extends Evaluation {
  /** What was taken out of it. */
  readonly pruned?: PruneFacts;
  readonly version: 1;
  /** ISO 8601. */
  readonly createdAt: string;
}

export function createCard(facts: Omit<Card, "version" | "createdAt">, now: Date = new Date()): Card {
  return { version: 1, createdAt: now.toISOString(), ...facts };
}

/** Of a model of any format. */
export type AnyCard = Card | OnnxCard;

/** The card beside a model; undefined: there is none. Throws `bad_request` for a file that is no card. */
export async function readCard(model: string): Promise<AnyCard | undefined> {
  const path = cardPath(model);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    const isOnnx = typeof value === "object" && value !== null && "format" in value;
    return isOnnx ? parseOnnxCard(value) : parseCard(value);
  } catch (error) {
    throw new HearthError("bad_request", `${path} is no quality card.`, {
      hint: "Remove it, or make it anew with `hearth eval MODEL --card`.",
      cause: error,
    });
  }
}
