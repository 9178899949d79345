import { expect, it } from "vitest";
import { createTextStream } from "./stop.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

it("shows whole characters only, however they are cut", () => {
  const stream = createTextStream([]);
  const all = bytes("a😀é中");
  const shown = Array.from(all, (byte) => stream.push(Uint8Array.of(byte)).text);
  expect(shown).toEqual(["a", "", "", "", "😀", "", "é", "", "", "中"]);
  expect(stream.flush()).toEqual({ text: "" });
});

it("shows what is no UTF-8 as a replacement, and half a character at the end", () => {
  const stream = createTextStream([]);
  expect(stream.push(Uint8Array.of(0x61, 0xff, 0x62)).text).toBe("a\uFFFDb");
  expect(stream.push(Uint8Array.of(0xe4, 0xb8)).text).toBe("");
  expect(stream.flush()).toEqual({ text: "\uFFFD" });
});

it("keeps a byte order mark, and takes tokens without text", () => {
  const stream = createTextStream([]);
  expect([stream.push(bytes("\uFEFFx")).text, stream.push(undefined).text]).toEqual(["\uFEFFx", ""]);
});

it("holds back what may become a stop string, and shows no part of one", () => {
  const stream = createTextStream(["STOP", "😀"]);
  expect(stream.push(bytes("one ST"))).toEqual({ text: "one " });
  expect(stream.push(bytes("ART two ST"))).toEqual({ text: "START two " });
  expect(stream.push(bytes("OPmore"))).toEqual({ text: "", stop: "STOP" });
  const other = createTextStream(["STOP", "😀"]);
  expect(other.push(Uint8Array.of(0x61, 0xf0, 0x9f))).toEqual({ text: "a" });
  expect(other.push(Uint8Array.of(0x98, 0x80, 0x62))).toEqual({ text: "", stop: "😀" });
  const last = createTextStream(["STOP"]);
  expect([last.push(bytes("ST")).text, last.flush().text]).toEqual(["", "ST"]);
});
