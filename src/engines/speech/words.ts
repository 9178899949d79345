import type { TimedText, TranscriptSegment } from "../../spec/perform.ts";
import type { RecognizerResult } from "./sherpa.ts";

interface Place {
  /** Seconds from the begin of the whole sound to the first sample of the utterance. */
  readonly offset: number;
  readonly end: number;
}

/**
 * Words with their times, from the tokens of an utterance: a token that begins with a blank, or SentencePiece's sign for
 * one, begins a word. Undefined: the model does not tell when its tokens were spoken.
 */
export function toWords({ tokens = [], timestamps = [] }: RecognizerResult, place: Place): TimedText[] | undefined {
  if (tokens.length === 0 || timestamps.length !== tokens.length) return undefined;
  const words: { text: string; start: number }[] = [];
  for (const [index, token] of tokens.entries()) {
    const text = token.replaceAll("▁", " ");
    const last = words.at(-1);
    if (last && !/^\s/.test(text)) last.text += text;
    else words.push({ text, start: place.offset + (timestamps[index] ?? 0) });
  }
  const spoken = words.map(({ text, start }) => ({ text: text.trim(), start })).filter(({ text }) => text !== "");
  return spoken.map(({ text, start }, index) => {
    const begin = Math.min(round(start), place.end);
    return {
      text,
      start: begin,
      end: Math.max(begin, round(Math.min(spoken[index + 1]?.start ?? place.end, place.end))),
    };
  });
}

/** Undefined: nothing was said. */
export function toSegment(
  result: RecognizerResult,
  place: Place & { readonly start: number; readonly wantsWords: boolean },
): TranscriptSegment | undefined {
  const text = result.text.trim();
  if (text === "") return undefined;
  const words = place.wantsWords ? toWords(result, place) : undefined;
  return { text, start: round(place.start), end: round(place.end), ...(words && { words }) };
}

/** To milliseconds. */
export function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
