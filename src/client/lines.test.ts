import { describe, expect, test } from "vitest";
import { readLines } from "./lines.ts";
import { readNdjson } from "./ndjson.ts";
import { readSse } from "./sse.ts";

/** A body that comes in the given pieces; `cancelled` tells whether the reader gave up. */
function bodyIn(pieces: readonly Uint8Array[]): { body: ReadableStream<Uint8Array>; cancelled: () => boolean } {
  let cancelled = false;
  let next = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces[next++];
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
      cancel: () => void (cancelled = true),
    },
    { highWaterMark: 0 },
  );
  return { body, cancelled: () => cancelled };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text cut once at every place, and into single bytes. */
function everySplit(text: string): readonly (readonly Uint8Array[])[] {
  const all = bytes(text);
  const twos = Array.from({ length: all.length + 1 }, (_, at) => [all.slice(0, at), all.slice(at)]);
  return [...twos, Array.from(all, (byte) => Uint8Array.of(byte))];
}

describe("lines", () => {
  const text = "one\ntwo\r\n\r\nGrüße 🦊\rfive\n\n";
  const lines = ["one", "two", "", "Grüße 🦊", "five", ""];

  test("come out the same wherever the bytes are cut", async () => {
    for (const pieces of everySplit(text)) expect(await Array.fromAsync(readLines(bodyIn(pieces).body))).toEqual(lines);
  });

  test("need no end after the last", async () => {
    for (const pieces of everySplit("a\nbé"))
      expect(await Array.fromAsync(readLines(bodyIn(pieces).body))).toEqual(["a", "bé"]);
  });

  test("are none in an empty body", async () => {
    expect(await Array.fromAsync(readLines(bodyIn([]).body))).toEqual([]);
  });

  test("a reader who leaves early cancels the body", async () => {
    const { body, cancelled } = bodyIn([bytes("a\n"), bytes("b\n"), bytes("c\n")]);
    for await (const line of readLines(body)) {
      expect(line).toBe("a");
      break;
    }
    expect(cancelled()).toBe(true);
  });

  test("a line without an end does not fill the memory", async () => {
    const piece = bytes("x".repeat(1024 * 1024));
    const { body, cancelled } = bodyIn(Array.from({ length: 100 }, () => piece));
    await expect(Array.fromAsync(readLines(body))).rejects.toThrow("a line without an end");
    expect(cancelled()).toBe(true);
  });
});

describe("server-sent events", () => {
  test("come out the same wherever the bytes are cut", async () => {
    const text =
      '\uFEFF: hello\n\nevent: ping\ndata: {"a":"ü"}\n\ndata:x\r\ndata: y\r\nid: 7\r\n\r\ndata\n\nretry: 5\n\ndata: cut off';
    for (const pieces of everySplit(text))
      expect(await Array.fromAsync(readSse(bodyIn(pieces).body))).toEqual([
        { event: "ping", data: '{"a":"ü"}' },
        { event: "message", data: "x\ny" },
        { event: "message", data: "" },
      ]);
  });
});

describe("NDJSON", () => {
  test("comes out the same wherever the bytes are cut", async () => {
    for (const pieces of everySplit('{"a":"🦊"}\n\n[1]\r\n"x"'))
      expect(await Array.fromAsync(readNdjson(bodyIn(pieces).body))).toEqual([{ a: "🦊" }, [1], "x"]);
  });

  test("a value that is cut off is an error", async () => {
    const work = Array.fromAsync(readNdjson(bodyIn([bytes('{"a":1}\n{"b"')]).body));
    await expect(work).rejects.toMatchObject({
      code: "engine_failed",
      message: expect.stringContaining("in the middle") as unknown,
    });
  });
});
