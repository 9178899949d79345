import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HearthError } from "../error.ts";
import { encodeNdjson } from "./ndjson.ts";
import { encodeSse, sseKeepAlive } from "./sse.ts";
import type { StreamEnd, StreamOptions } from "./stream.ts";
import { createStream } from "./stream.ts";

describe("frames on the wire", () => {
  test.each([
    [{ data: "a" }, "data: a\n\n"],
    [{ event: "ping", data: "{}" }, "event: ping\ndata: {}\n\n"],
    [{ data: "a\nb\r\nc\rd" }, "data: a\ndata: b\ndata: c\ndata: d\n\n"],
    [{ data: "" }, "data: \n\n"],
  ])("%j is %j", (frame, bytes) => {
    expect(encodeSse(frame)).toBe(bytes);
  });

  test("a value is one line, whatever is in it", () => {
    expect(encodeNdjson({ text: "a\nb" })).toBe('{"text":"a\\nb"}\n');
  });
});

interface Probe {
  readonly ends: StreamEnd[];
  produced: number;
  returned: boolean;
}

function open(next: (index: number) => Promise<string | undefined>, changes: Partial<StreamOptions> = {}) {
  const probe: Probe = { ends: [], produced: 0, returned: false };
  const frames: AsyncIterator<string> = {
    async next() {
      const value = await next(probe.produced++);
      return value === undefined ? { done: true, value } : { done: false, value };
    },
    async return() {
      probe.returned = true;
      return { done: true, value: undefined };
    },
  };
  const stream = createStream({
    frames,
    signal: new AbortController().signal,
    keepAlive: sseKeepAlive,
    keepAliveMs: 15_000,
    stallMs: 60_000,
    onError: (error) => `error: ${error instanceof Error ? error.message : "?"}\n\n`,
    onEnd: (end) => probe.ends.push(end),
    ...changes,
  });
  return { stream, probe };
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text();
}

describe("a stream", () => {
  test("sends all frames and ends", async () => {
    const { stream, probe } = open(async (i) => ["a", "b"][i]);
    expect(await textOf(stream)).toBe("ab");
    expect(probe).toMatchObject({ ends: ["complete"], returned: true });
  });

  test("makes a failure its last frame and ends like any other", async () => {
    const { stream, probe } = open(async (i) => {
      if (i === 1) throw new Error("engine died");
      return "a";
    });
    expect(await textOf(stream)).toBe("aerror: engine died\n\n");
    expect(probe).toMatchObject({ ends: ["failed"], returned: true });
  });

  test("tells why it was stopped, although the frames hang", async () => {
    const controller = new AbortController();
    const { stream, probe } = open(() => new Promise(() => {}), { signal: controller.signal });
    const text = textOf(stream);
    controller.abort(new HearthError("shutting_down", "stopping"));
    expect(await text).toBe("error: stopping\n\n");
    expect(probe.ends).toEqual(["failed"]);
  });

  test("lets go of its frames when the reader leaves", async () => {
    const { stream, probe } = open(async () => "a");
    const reader = stream.getReader();
    await reader.read();
    await reader.cancel();
    expect(probe).toMatchObject({ ends: ["left"], returned: true });
  });

  test("lets go of its frames when the reader leaves before the first one", async () => {
    const { stream, probe } = open(async () => "a");
    await stream.cancel();
    expect(probe).toMatchObject({ ends: ["left"], returned: true, produced: 0 });
  });

  test("asks for nothing ahead of the reader", async () => {
    const { stream, probe } = open(async () => "a");
    const reader = stream.getReader();
    for (let i = 0; i < 3; i++) await reader.read();
    await new Promise((resolve) => setImmediate(resolve));
    expect(probe.produced).toBe(3);
    await reader.cancel();
  });
});

describe("a stream, as time passes", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("sends a comment after 15 quiet seconds, and the frame when it comes", async () => {
    const late = Promise.withResolvers<string>();
    const { stream } = open((i) => (i === 0 ? late.promise : Promise.resolve(undefined)));
    const frames = stream.getReader();
    const first = frames.read();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(Buffer.from((await first).value ?? []).toString()).toBe(": keep-alive\n\n");
    const second = frames.read();
    late.resolve("a");
    expect(Buffer.from((await second).value ?? []).toString()).toBe("a");
  });

  test("sends no comment into NDJSON", async () => {
    const { stream, probe } = open(() => new Promise(() => {}), { keepAlive: undefined });
    const reader = stream.getReader();
    let got = false;
    void reader.read().then(() => (got = true));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(got).toBe(false);
    expect(probe.ends).toEqual([]);
  });

  test("cuts off a reader that takes nothing for a minute", async () => {
    const { stream, probe } = open(async () => "a");
    const reader = stream.getReader();
    await reader.read();
    await vi.advanceTimersByTimeAsync(59_000);
    expect(probe.ends).toEqual([]);
    await vi.advanceTimersByTimeAsync(1001);
    expect(probe).toMatchObject({ ends: ["stalled"], returned: true });
    await expect(reader.read()).rejects.toThrow("too slow");
  });
});
