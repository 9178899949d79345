import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { measureReadBandwidth } from "./bandwidth.ts";
import { diskFreeBytes } from "./disk.ts";
import { readKernel, turnBytes } from "./kernel.ts";
import { probeHardware } from "./probe.ts";
import { machine } from "./read.ts";

test("the hardware of this machine can be told without an error", async () => {
  const hardware = await probeHardware();
  expect(hardware).toMatchObject({ platform: process.platform, architecture: process.arch });
  expect(hardware.memory.totalBytes).toBeGreaterThan(0);
  expect(JSON.parse(JSON.stringify(hardware))).toEqual(hardware);
});

test("a tool that is missing, or that fails, is an absent answer", async () => {
  expect(await machine.run("hearth-has-no-such-tool", [])).toBeUndefined();
  expect(await machine.run(process.execPath, ["-e", "process.exit(3)"])).toBeUndefined();
  expect(await machine.run(process.execPath, ["-e", "console.log(1)"])).toBe("1\n");
  expect(await machine.run("not\0a tool", [])).toBeUndefined();
  expect(machine.read("/nowhere/at/all")).toBeUndefined();
  expect(machine.entries("/nowhere/at/all")).toEqual([]);
});

test("a folder that does not exist yet has the free space of its parent", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hearth-disk-"));
  try {
    expect(await diskFreeBytes(folder)).toBeGreaterThan(0);
    expect(await diskFreeBytes(join(folder, "a", "b", "c"))).toBeGreaterThan(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the reading kernel reads every byte once", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const words = new BigUint64Array(memory.buffer);
  for (let index = 0; index < words.length; index++) words[index] = BigInt(index * index);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readKernel(1)), { m: { m: memory } });
  const sum = exports["sum"] as (from: number, to: number) => bigint;
  for (const [from, to] of [
    [0, turnBytes],
    [turnBytes, 5 * turnBytes],
    [0, 65_536],
  ] as const) {
    const expected = words.slice(from / 8, to / 8).reduce((total, word) => total + word, 0n);
    expect(sum(from, to)).toBe(expected);
  }
});

test("the read bandwidth is measured in little time, and says how", async () => {
  const result = await measureReadBandwidth({ threads: 2, sizeBytes: 8 * 1024 ** 2, passes: 2 });
  expect(result).toMatchObject({ threads: 2, bytes: 8 * 1024 ** 2, passes: 2 });
  expect(result?.bytesPerSecond).toBeGreaterThan(10e6);
  expect(result?.bytesPerSecond).toBeLessThan(10e12);
  expect(result?.method).toMatch(/Best of 2 passes over 8\.0 MiB of memory with 2 threads/);
});

test("the measurement can be cancelled", async () => {
  const reason = new Error("enough");
  await expect(measureReadBandwidth({ threads: 1, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const abort = new AbortController();
  const running = measureReadBandwidth({ threads: 1, sizeBytes: 1024 ** 2, passes: 1e9, signal: abort.signal });
  setImmediate(() => {
    abort.abort(reason);
  });
  await expect(running).rejects.toBe(reason);
});
