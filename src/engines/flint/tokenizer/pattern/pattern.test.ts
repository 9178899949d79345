import { describe, expect, test } from "vitest";
import { randomUniform } from "../../../../../test/make-weights.ts";
import { toHearthError } from "../../../../error.ts";
import { cuts } from "../gguf/patterns.ts";
import { Matcher } from "./match.ts";
import { compilePattern } from "./program.ts";

function split(pattern: string, text: string): string[] {
  return cut(new Matcher(compilePattern(pattern)), text);
}

function cut(matcher: Matcher, text: string): string[] {
  const ends: number[] = [];
  matcher.split(text, 0, text.length, ends);
  return ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end));
}

/** In sets the platform wants a backslash before the slash. */
function splitByPlatform(pattern: string, text: string): string[] {
  const pieces: string[] = [];
  let done = 0;
  for (const found of text.matchAll(new RegExp(pattern.replaceAll("n/]", String.raw`n\/]`), "gv"))) {
    if (found[0] === "") continue;
    if (found.index > done) pieces.push(text.slice(done, found.index));
    pieces.push(found[0]);
    done = found.index + found[0].length;
  }
  return done < text.length ? [...pieces, text.slice(done)] : pieces;
}

/** `cut`, or the code of the error. */
function outcome(pattern: string, text: string): string {
  try {
    split(pattern, text);
    return "cut";
  } catch (error) {
    return toHearthError(error).code;
  }
}

const alphabet = Array.from("aB'sSreRE  \t\n\r12３é\u0301_-!/中文ǅʰ𝔸😀,.$한");

function randomTexts(count: number): string[] {
  const random = randomUniform(1);
  const character = (): string => alphabet[Math.floor(random() * alphabet.length)] ?? "";
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + Math.floor(random() * 16) }, () => character()).join(""),
  );
}

describe("patterns", () => {
  // The platform's engine reads the same syntax but for a few escapes.
  const patterns = [
    cuts.gpt2,
    cuts.llama3,
    cuts.qwen35,
    cuts.gpt4o,
    cuts.tekken,
    cuts.bailing,
    cuts.exaoneMoe,
    cuts.jais2,
  ]
    .flat()
    .filter((stage) => typeof stage === "string");
  test.each(patterns)("%s cuts as the platform's engine does", (pattern) => {
    const matcher = new Matcher(compilePattern(pattern));
    const wrong = randomTexts(300).filter(
      (text) => cut(matcher, text).join("\0") !== splitByPlatform(pattern, text).join("\0"),
    );
    expect(wrong).toEqual([]);
  });

  test.each([
    ["a|ab", "abab", ["a", "b", "a", "b"]],
    ["ab|a", "abaa", ["ab", "a", "a"]],
    ["a+?", "aa", ["a", "a"]],
    ["a{2,3}", "aaaaa", ["aaa", "aa"]],
    ["(?:ab)+", "xababy", ["x", "abab", "y"]],
    // As in Ruby: at the end of each line.
    [String.raw`\s+$`, "a  \nb ", ["a", "  ", "\nb", " "]],
    // Possessive: nothing is given back, so this never matches two spaces before a word.
    [String.raw`\s++(?!\S)`, "a  b", ["a  b"]],
    [String.raw`\s+(?!\S)`, "a  b", ["a", " ", " b"]],
    ["a?+a", "aa", ["aa"]],
    // As in Ruby: a repetition of a repetition.
    ["[0-9]{1,3}+", "1234567a", ["1234567", "a"]],
    ["(?i:'s)", "x'S'ſ", ["x", "'S", "'ſ"]],
    [String.raw`[\p{L}&&[^a-z]]+`, "abCDÉf", ["ab", "CDÉ", "f"]],
    [String.raw`\x{1f600}+|\u0061`, "😀😀ab", ["😀😀", "a", "b"]],
    ["", "ab", ["ab"]],
    ["(?:){9999}", "ab", ["ab"]],
  ])("%s on %j", (pattern, text, pieces) => {
    expect(split(pattern, text)).toEqual(pieces);
  });

  test.each([
    String.raw`(a)\1`,
    "(?<=a)b",
    "(?=ab)a",
    "^a",
    String.raw`\bword`,
    "(?>a+)",
    "(?:ab)++",
    "a**",
    "[z-a]",
    String.raw`\p{Nonsense}`,
    "[[:alpha:]]",
    "(a",
    "a)",
    "[a",
    "a{3,2}",
    "(?:(?:a{999}){999}){999}",
    "(?:".repeat(100) + "a" + ")".repeat(100),
  ])("%s is refused", (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(expect.objectContaining({ code: "model_unsupported" }));
  });

  test.each([
    ["(?:a|a)*b|a", "a".repeat(50_000)],
    ["(?:a*)*b|a", "a".repeat(50_000)],
    ["a*b|a", "a".repeat(50_000)],
    [String.raw`\s*[\r\n]+|\s{512}(?!\S)|\s`, " ".repeat(50_000)],
    ["[ab]*a[ab]{300}c|.", "ab".repeat(10_000)],
  ])("%s takes no more than linear time", (pattern, text) => {
    const start = performance.now();
    expect(outcome(pattern, text)).toMatch(/^(cut|model_unsupported)$/);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
