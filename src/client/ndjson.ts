import { HearthError } from "../error.ts";
import { readLines } from "./lines.ts";

/** One JSON value a line; empty lines are skipped. */
export async function* readNdjson(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown, void, undefined> {
  for await (const line of readLines(body)) if (line.trim() !== "") yield parseJson(line);
}

/** Throws `engine_failed`: a text of ours that is no JSON was cut off. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new HearthError("engine_failed", "The server's answer ended in the middle.", {
      hint: "Try again.",
      cause: error,
    });
  }
}
