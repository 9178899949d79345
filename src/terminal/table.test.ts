import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { formatAge } from "./age.ts";
import { formatPairs, formatTable } from "./table.ts";
import { unquote } from "./prompt.ts";

const pipe = new PassThrough();
const screen = Object.assign(new PassThrough(), { isTTY: true });

test("columns line up, numbers to the right, nothing after the last word", () => {
  const columns = [
    { title: "NAME", value: (row: readonly [string, string]) => row[0] },
    { title: "SIZE", value: (row: readonly [string, string]) => row[1], align: "right" },
  ] as const;
  const rows = [
    ["a", "1 B"],
    ["longer", "100 B"],
  ] as const;
  expect(formatTable(pipe, columns, rows)).toBe("NAME     SIZE\na         1 B\nlonger  100 B\n");
});

test("colour is for terminals only", () => {
  const pairs = [["name", "value"]] as const;
  expect(formatPairs(pipe, pairs)).toBe("  name  value\n");
  expect(formatPairs(screen, pairs)).toBe("  \u001b[2mname\u001b[22m  value\n");
});

test("pairs without a value are left out", () => {
  expect(
    formatPairs(pipe, [
      ["a", undefined],
      ["b", ""],
      ["c", "1"],
    ]),
  ).toBe("  c  1\n");
});

test.each([
  ["2026-01-01T00:00:00Z", "now"],
  ["2025-12-31T23:59:00Z", "1 minute ago"],
  ["2025-12-29T00:00:00Z", "3 days ago"],
  ["2024-12-01T00:00:00Z", "1 year ago"],
  ["2026-01-01T00:04:30Z", "in 4 minutes"],
  ["2026-01-01T00:00:20Z", "in less than a minute"],
])("%s is %s", (date, words) => {
  expect(formatAge(new Date(date), new Date("2026-01-01T00:00:00Z"))).toBe(words);
});

test.each([
  ['"""a\nb"""', "a\nb"],
  ['"""\na\n"""', "a"],
  ["plain", "plain"],
  ['say """this"""', 'say """this"""'],
])("%j means %j", (typed, text) => {
  expect(unquote(typed)).toBe(text);
});
