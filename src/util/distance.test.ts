import { expect, test } from "vitest";
import { closest, didYouMean, editDistance } from "./distance.ts";

test("the distance counts insertions, deletions and substitutions", () => {
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("same", "same")).toBe(0);
});

test("a mistyped name finds the one that was meant, and a foreign word finds none", () => {
  const names = ["tinyllama", "smollm2", "qwen3"];
  expect(closest("tinylama", names)).toEqual(["tinyllama"]);
  expect(closest("tiny", names)).toEqual(["tinyllama"]);
  expect(didYouMean("qwem3", names)).toBe(' Did you mean "qwen3"?');
  expect(didYouMean("elephant", names)).toBe("");
});
