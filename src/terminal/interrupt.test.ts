import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { watchInterrupts, type Interrupts } from "./interrupt.ts";

function fakeProcess(): { target: EventEmitter & { exit(code: number): void }; codes: number[] } {
  const codes: number[] = [];
  return { codes, target: Object.assign(new EventEmitter(), { exit: (code: number) => void codes.push(code) }) };
}

function watch(): { interrupts: Interrupts; send: (name: string, at: number) => void; codes: number[] } {
  const { target, codes } = fakeProcess();
  const clock = { now: 0 };
  const interrupts = watchInterrupts(target, () => clock.now);
  return {
    interrupts,
    codes,
    send(name, at) {
      clock.now = at;
      target.emit(name, name);
    },
  };
}

test("the first Ctrl-C asks for a clean end", () => {
  const { interrupts, send, codes } = watch();
  send("SIGINT", 0);
  expect(interrupts.signal.aborted).toBe(true);
  expect(codes).toEqual([]);
  expect(interrupts.exitCode(130)).toBe(130);
});

test("the echo of npm is not a second Ctrl-C; a later one ends at once", () => {
  const { send, codes } = watch();
  send("SIGINT", 0);
  send("SIGINT", 20);
  expect(codes).toEqual([]);
  send("SIGINT", 2000);
  expect(codes).toEqual([130]);
});

test("a command ended by SIGTERM exits with 143; a finished one keeps its code", () => {
  const { interrupts, send } = watch();
  send("SIGTERM", 0);
  expect(interrupts.exitCode(130)).toBe(143);
  expect(interrupts.exitCode(0)).toBe(0);
});
