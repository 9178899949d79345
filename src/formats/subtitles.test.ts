import { expect, test } from "vitest";
import { toPlainText, toSrt, toVtt } from "./subtitles.ts";

const segments = [
  { text: " Hello there.", start: 0, end: 1.2345 },
  { text: "a < b & c\n\nnext", start: 3661.9996, end: 3725 },
];

test("text has one segment a line", () => {
  expect(toPlainText(segments.slice(0, 1))).toBe("Hello there.\n");
});

test("SubRip counts from 1 and writes milliseconds after a comma", () => {
  expect(toSrt(segments)).toBe(
    "1\n00:00:00,000 --> 00:00:01,235\nHello there.\n\n2\n01:01:02,000 --> 01:02:05,000\na < b & c\nnext\n\n",
  );
});

test("WebVTT escapes what would be markup, and no text ends a cue early", () => {
  expect(toVtt(segments)).toBe(
    "WEBVTT\n\n00:00:00.000 --> 00:00:01.235\nHello there.\n\n01:01:02.000 --> 01:02:05.000\na &lt; b &amp; c\nnext\n\n",
  );
});

test("a transcript of silence is a file without cues", () => {
  expect(toPlainText([])).toBe("");
  expect(toSrt([])).toBe("");
  expect(toVtt([])).toBe("WEBVTT\n\n");
});
