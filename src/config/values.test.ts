import { expect, test } from "vitest";
import { HearthError } from "../error.ts";
import {
  parseBoolean,
  parseBytes,
  parseBytesOrOff,
  parseCount,
  parseDuration,
  parseDurationOrNever,
  parseInteger,
  parseList,
  parseOneOf,
  parsePort,
} from "./values.ts";

test("sizes are understood in the units that people write", () => {
  expect(parseBytes("1000", "x")).toBe(1000);
  expect(parseBytes("512MiB", "x")).toBe(512 * 1024 ** 2);
  expect(parseBytes("1.5g", "x")).toBe(1.5 * 1024 ** 3);
  expect(parseBytes("4 GB", "x")).toBe(4 * 1024 ** 3);
});

test("a cache can be given a size, or none", () => {
  expect(parseBytesOrOff("8GiB", "x")).toBe(8 * 1024 ** 3);
  expect([parseBytesOrOff("off", "x"), parseBytesOrOff("0", "x")]).toEqual([0, 0]);
  expect(() => parseBytesOrOff("no", "--disk-cache")).toThrow(/^--disk-cache is "no"; it must be /);
});

test("durations are Go style, or seconds; a negative one means for ever", () => {
  expect(parseDuration("5m", "x")).toBe(300_000);
  expect(parseDuration("1h30m", "x")).toBe(5_400_000);
  expect(parseDuration("250ms", "x")).toBe(250);
  expect(parseDuration("30", "x")).toBe(30_000);
  expect(parseDuration("0", "x")).toBe(0);
  expect(parseDuration("-1", "x")).toBe(Infinity);
  expect(parseDuration("-1m", "x")).toBe(Infinity);
});

test("a duration can be never", () => {
  expect(parseDurationOrNever("90s", "x")).toBe(90_000);
  for (const text of ["off", "never", "-1"]) expect(parseDurationOrNever(text, "x")).toBe(Infinity);
});

test.each([
  [parseCount, "0"],
  [parseBytes, "12 parsecs"],
  [parseBytes, ""],
  [parseDuration, "5 minutes"],
  [parseDuration, "m5"],
  [parseInteger, "1.5"],
  [parseInteger, "-1"],
  [parseInteger, ""],
  [parseInteger, "1e400"],
  [parsePort, "65536"],
  [parseBoolean, "maybe"],
])("a value that makes no sense names its setting and what would (%o, %s)", (parse, text) => {
  const attempt = (): unknown => parse(text, "--thing");
  expect(attempt).toThrow(HearthError);
  expect(attempt).toThrow(/^--thing is ".*"; it must be /);
});

test("a choice outside the list names the list", () => {
  const parse = parseOneOf(["auto", "cpu"]);
  expect(parse("cpu", "--device")).toBe("cpu");
  expect(() => parse("gpu", "--device")).toThrow('--device is "gpu"; it must be one of auto, cpu.');
});

test("lists lose their blanks", () => {
  expect(parseList(" a, b ,,c")).toEqual(["a", "b", "c"]);
});
