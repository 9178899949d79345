import { expect, it } from "vitest";
import { createJsonWatch } from "./watch.ts";

function end(text: string, size: number): string | undefined {
  const watch = createJsonWatch();
  for (let at = 0; at < text.length; at += size) {
    const length = watch.push(text.slice(at, at + size));
    if (length !== undefined) return text.slice(0, at + length);
  }
  return undefined;
}

it.each([
  ['{"a":[1,{"b":"}]"}]} and more', '{"a":[1,{"b":"}]"}]}'],
  ['["\\"]\\\\"] x', '["\\"]\\\\"]'],
  ['"a \\"quoted\\" text" x', '"a \\"quoted\\" text"'],
  ["{}{}", "{}"],
  ['{"open":', undefined],
  ["42", undefined],
  ["true", undefined],
])("sees where %s ends, however it is cut", (text, value) => {
  for (const size of [1, 2, 3, 100]) expect(end(text, size)).toBe(value);
});
