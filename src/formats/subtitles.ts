/** A transcript as a file: plain text, SubRip, and WebVTT (https://www.w3.org/TR/webvtt1/). */
import type { TimedText } from "../spec/perform.ts";

/** One segment a line. */
export function toPlainText(segments: readonly TimedText[]): string {
  return segments.map(({ text }) => `${text.trim()}\n`).join("");
}

export function toSrt(segments: readonly TimedText[]): string {
  return segments
    .map(({ text, start, end }, index) => {
      // An empty line would end the cue.
      const lines = text.trim().replace(/\n\s*\n/g, "\n");
      return `${index + 1}\n${clock(start, ",")} --> ${clock(end, ",")}\n${lines}\n\n`;
    })
    .join("");
}

export function toVtt(segments: readonly TimedText[]): string {
  const cues = segments.map(({ text, start, end }) => {
    const lines = text
      .trim()
      .replace(/\n\s*\n/g, "\n")
      .replace(/&/g, "&amp;")
      .replace(/</g, "&lt;")
      .replace(/>/g, "&gt;");
    return `${clock(start, ".")} --> ${clock(end, ".")}\n${lines}\n\n`;
  });
  return `WEBVTT\n\n${cues.join("")}`;
}

/** Seconds → `01:02:03,450`. */
function clock(seconds: number, point: "," | "."): string {
  const all = Math.max(0, Math.round(seconds * 1000));
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  const ms = String(all % 1000).padStart(3, "0");
  return `${two(all / 3_600_000)}:${two((all / 60_000) % 60)}:${two((all / 1000) % 60)}${point}${ms}`;
}
