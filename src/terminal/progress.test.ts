import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import type { Progress } from "../spec/model.ts";
import { createStatus } from "./progress.ts";

const mib = 1024 ** 2;

function track(isTTY: boolean): {
  status: ReturnType<typeof createStatus>;
  clock: { now: number };
  read: () => string;
} {
  const stream = Object.assign(new PassThrough({ encoding: "utf8" }), { isTTY, columns: 80 });
  const clock = { now: 0 };
  let text = "";
  return {
    clock,
    status: createStatus(stream, () => clock.now),
    read: () => (text += (stream.read() as string | null) ?? ""),
  };
}

const download = (completedBytes: number, totalBytes?: number): Progress => ({
  phase: "download",
  label: "tiny",
  completedBytes,
  ...(totalBytes !== undefined && { totalBytes }),
});

describe("progress on a terminal", () => {
  test("shows a bar with bytes, rate and time left", () => {
    const { status, clock, read } = track(true);
    status.update(download(0, 100 * mib));
    clock.now = 2000;
    status.update(download(20 * mib, 100 * mib));
    expect(read()).toMatch(/fetching tiny {2}\[#+\.+\] {3}20% {2}20\.0 MiB of 100 MiB {2}10\.0 MiB\/s {2}8\.0s left$/);
  });

  test("what a resumed pull already had does not count as speed", () => {
    const { status, clock, read } = track(true);
    status.update(download(500 * mib, 1000 * mib));
    clock.now = 1000;
    status.update(download(510 * mib, 1000 * mib));
    expect(read()).toContain("10.0 MiB/s  49.0s left");
  });

  test("the rate follows the last seconds, not the whole transfer", () => {
    const { status, clock, read } = track(true);
    for (let second = 0; second <= 20; second++) {
      clock.now = second * 1000;
      status.update(download(second < 10 ? second * 10 * mib : (90 + second) * mib, 1000 * mib));
    }
    expect(read().endsWith("1.0 MiB/s  14m50s left")).toBe(true);
  });

  test("is drawn at most ten times a second, and always at the end", () => {
    const { status, clock, read } = track(true);
    for (let step = 1; step <= 100; step++) {
      clock.now = step;
      status.update(download(step, 100));
    }
    const draws = read().split("fetching").length - 1;
    expect(draws).toBeLessThanOrEqual(3);
    expect(read()).toContain("100%");
  });

  test("never takes more than the width of the terminal", () => {
    const { status, read } = track(true);
    status.update({ ...download(1, 100), label: "x".repeat(500) });
    for (const line of read().split(/\r|\n/)) expect(line.length).toBeLessThan(80 + 5);
  });

  test("a note pushes the bar away instead of running into it", () => {
    const { status, read } = track(true);
    status.update(download(50, 100));
    status.note("Using another source.");
    expect(read().endsWith("\r\u001b[2KUsing another source.\n")).toBe(true);
  });
});

describe("progress in a log file", () => {
  test("is a line every 5 %, at most one a second, without control characters", () => {
    const { status, clock, read } = track(false);
    for (let step = 0; step <= 1000; step++) {
      clock.now = step * 100;
      status.update(download(step * mib, 1000 * mib));
    }
    const lines = read().trimEnd().split("\n");
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toContain("100%");
    for (const control of ["\r", "\u001b"]) expect(read()).not.toContain(control);
  });

  test("a fast download is not one line per chunk", () => {
    const { status, clock, read } = track(false);
    for (let step = 0; step <= 1000; step++) {
      clock.now = step;
      status.update(download(step * mib, 1000 * mib));
    }
    expect(read().trimEnd().split("\n")).toHaveLength(2);
  });

  test("a download of unknown size is told now and then", () => {
    const { status, clock, read } = track(false);
    for (let second = 0; second <= 30; second++) {
      clock.now = second * 1000;
      status.update(download(second * mib));
    }
    expect(read().trimEnd().split("\n")).toHaveLength(4);
  });
});
