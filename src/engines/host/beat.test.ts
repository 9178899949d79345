import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createBeat } from "./beat.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] }));
afterEach(() => void vi.useRealTimers());

it("beats while anything runs, however many requests that are, and has no timer otherwise", () => {
  let beats = 0;
  const beat = createBeat(() => beats++, 500);
  expect(vi.getTimerCount()).toBe(0);
  beat.begin();
  beat.begin();
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(1000);
  expect(beats).toBe(2);
  beat.end();
  vi.advanceTimersByTime(500);
  expect(beats).toBe(3);
  beat.end();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(5000);
  expect(beats).toBe(3);
});

it("beats again when work comes back", () => {
  let beats = 0;
  const beat = createBeat(() => beats++, 500);
  for (let round = 0; round < 2; round++) {
    beat.begin();
    vi.advanceTimersByTime(500);
    beat.end();
  }
  expect(beats).toBe(2);
});
