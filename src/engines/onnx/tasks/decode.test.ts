import { expect, it } from "vitest";
import { alignPieces } from "../align.ts";
import { keepBest } from "./detect-boxes.ts";
import { joinTokens } from "./entities.ts";
import { linesOf, readingOrder } from "./ocr-find.ts";
import { decodeLine, parseLetters } from "./ocr-read.ts";
import { sentences } from "./segments.ts";
import { createSpans } from "./voice.ts";
import { windows } from "./windows.ts";
import { parseNames, readBoxes } from "./yolo.ts";

it("reads a line of text: repetitions are one letter, gaps part them", () => {
  const letters = ["a", "b", " "];
  const path = [1, 1, 0, 1, 3, 2, 2, 0];
  const data = new Float32Array(path.length * 4);
  path.forEach((letter, step) => (data[step * 4 + letter] = 0.5));
  expect(decodeLine({ shape: [1, path.length, 4], data }, letters)).toEqual({ text: "aa b", score: 0.5 });
  expect(() => decodeLine({ shape: [1, 2, 4], data }, ["a"])).toThrow(/knows 3 letters; its dictionary has 1/);
});

it("parts words where a space is likely enough, if not the likeliest", () => {
  const letters = ["a", "1", ",", "字", " "];
  const read = (path: readonly number[], spaces: Readonly<Record<number, number>>): string => {
    const data = new Float32Array(path.length * 6);
    path.forEach((letter, step) => {
      data[step * 6 + letter] = 0.9;
      if (letter !== 5) data[step * 6 + 5] = spaces[step] ?? 0;
    });
    return decodeLine({ shape: [1, path.length, 6], data }, letters).text;
  };
  expect(read([1, 1, 0, 1, 0, 1], { 0: 0.5, 2: 0.05, 4: 0.004 })).toBe("a aa");
  // Less is enough behind a sign; a number has none there.
  expect(read([1, 3, 0, 1, 0, 2, 3, 0, 2], { 2: 0.004, 4: 0.05, 7: 0.001 })).toBe("a, a 1,1");
  // Seen for certain it is written once; Chinese has none.
  expect(read([1, 0, 5, 0, 1, 0, 4, 0, 4], { 1: 0.3, 3: 0.3, 5: 0.3, 7: 0.3 })).toBe("a a字字");
});

it("adds the space to a dictionary that lacks it", () => {
  expect(parseLetters("a\nb\n", 4)).toEqual(["a", "b", " "]);
  expect(parseLetters("a\r\nb\r\nc", 4)).toEqual(["a", "b", "c"]);
});

it("finds lines in a map of probabilities, and grows them", () => {
  const [width, height] = [64, 32];
  const data = new Float32Array(width * height);
  for (let y = 10; y < 16; y++) data.fill(0.9, y * width + 8, y * width + 48);
  const [line, ...others] = linesOf({ shape: [1, 1, height, width], data }, 0.6);
  expect(others).toEqual([]);
  expect(line?.score).toBeCloseTo(0.9);
  expect(line?.region.x).toBeCloseTo(28);
  expect(line?.region.height).toBeGreaterThan(12);
  expect(linesOf({ shape: [1, 1, height, width], data }, 0.95)).toEqual([]);
});

it("reads lines from top to bottom, and side by side from left to right", () => {
  const at = (x: number, y: number) => ({ score: 1, region: { x, y, width: 20, height: 10, angle: 0 } });
  const order = readingOrder([at(60, 12), at(10, 40), at(10, 10)]);
  expect(order.map(({ region }) => [region.x, region.y])).toEqual([
    [10, 10],
    [60, 12],
    [10, 40],
  ]);
});

it("reads boxes of all three layouts", () => {
  const wide = new Float32Array(6 * 8400);
  [50, 60, 10, 20, 0.1, 0.8].forEach((value, field) => (wide[field * 8400 + 7] = value));
  expect(readBoxes({ shape: [1, 6, 8400], data: wide }, 0.5)).toMatchObject([{ x: 50, y: 60, width: 10, label: 1 }]);
  const tall = new Float32Array(10 * 7);
  tall.set([50, 60, 10, 20, 0.9, 0.1, 0.8], 3 * 7);
  expect(readBoxes({ shape: [1, 10, 7], data: tall }, 0.5)).toMatchObject([{ x: 50, y: 60, height: 20, label: 1 }]);
  const corners = Float32Array.of(10, 20, 30, 60, 0.9, 3);
  expect(readBoxes({ shape: [1, 1, 6], data: corners }, 0.5)).toMatchObject([
    { x: 20, y: 40, width: 20, height: 40, label: 3 },
  ]);
});

it("keeps the best of boxes that lie on each other", () => {
  const box = (x: number) => ({ x, y: 0, width: 10, height: 10 });
  const objects = [
    { label: "cat", score: 0.5, box: box(1) },
    { label: "cat", score: 0.9, box: box(0) },
    { label: "dog", score: 0.4, box: box(0) },
    { label: "cat", score: 0.3, box: box(30) },
  ];
  expect(keepBest(objects, 10).map(({ score }) => score)).toEqual([0.9, 0.4, 0.3]);
  expect(keepBest(objects, 1)).toHaveLength(1);
});

it("reads the names of classes", () => {
  expect(parseNames(`{0: 'person', 1: "stop sign"}`)).toEqual(["person", "stop sign"]);
  expect(parseNames(undefined)).toEqual([]);
});

it("finds where tokens stand, accents and capitals dropped", () => {
  const text = "Zoë lives in São Paulo.";
  const spans = alignPieces(text, ["zoe", "lives", "in", "sao", "paul", "o", "."], true);
  expect(spans.map((span) => span && text.slice(span.start, span.end))).toEqual([
    "Zoë",
    "lives",
    "in",
    "São",
    "Paul",
    "o",
    ".",
  ]);
  expect(alignPieces("abc", ["xyz"], false)).toEqual([undefined]);
});

it("joins tokens to entities", () => {
  const text = "Angela Merkel met Obama";
  const token = (label: string, start: number, end: number) => ({ label, score: 0.5, span: { start, end } });
  const tokens = [
    token("B-PER", 0, 6),
    token("I-PER", 7, 10),
    token("B-PER", 10, 13),
    token("O", 14, 17),
    token("B-PER", 18, 23),
  ];
  expect(joinTokens(tokens, text)).toEqual([
    { label: "PER", score: 0.5, start: 0, end: 13, text: "Angela Merkel" },
    { label: "PER", score: 0.5, start: 18, end: 23, text: "Obama" },
  ]);
});

it("makes spans of speech: short gaps do not part them, short noises are none", () => {
  const spans = createSpans(0.5);
  const frame = 512 / 16_000;
  const speak = (from: number, to: number, value: number): void => {
    for (let index = from; index < to; index++) spans.add(value, (index + 1) * frame);
  };
  speak(0, 10, 0);
  speak(10, 30, 0.9);
  speak(30, 32, 0.1);
  speak(32, 50, 0.9);
  speak(50, 70, 0.1);
  speak(70, 72, 0.9);
  speak(72, 90, 0.1);
  const found = spans.end(90 * frame);
  expect(found).toHaveLength(1);
  expect(found[0]?.start).toBeCloseTo(10 * frame - 0.03);
  expect(found[0]?.end).toBeCloseTo(50 * frame + 0.03);
});

it("cuts a long sound where it is quiet, and loses nothing", async () => {
  const sampleRate = 16_000;
  const sound = Float32Array.from({ length: 25 * sampleRate }, (_, index) => Math.sin(index / 7));
  sound.fill(0, 8 * sampleRate, 8.5 * sampleRate);
  async function* pieces(): AsyncGenerator<Float32Array> {
    for (let at = 0; at < sound.length; at += 12_345) yield sound.subarray(at, at + 12_345);
  }
  const found = [];
  for await (const window of windows(pieces(), { sampleRate, mostSeconds: 10, searchSeconds: 3 })) found.push(window);
  expect(found.length).toBe(3);
  expect(found[1]?.start).toBeGreaterThan(8);
  expect(found[1]?.start).toBeLessThan(8.5);
  expect(found.reduce((sum, { samples }) => sum + samples.length, 0)).toBe(sound.length);
});

it("makes sentences of words", () => {
  const word = (text: string, start: number) => ({ text, start, end: start + 0.5 });
  const found = sentences([word(" Hello", 0), word(" there.", 1), word(" Bye", 2)]);
  expect(found).toMatchObject([
    { text: "Hello there.", start: 0, end: 1.5, words: [{ text: "Hello" }, { text: "there." }] },
    { text: "Bye", start: 2, end: 2.5 },
  ]);
});
