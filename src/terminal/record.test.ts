import { expect, test } from "vitest";
import type { Recorder } from "./record.ts";
import { record, recorders } from "./record.ts";

const never = new AbortController().signal;
const program = (text: string): Recorder => [process.execPath, "-e", text];

test("the first program that gives sound is the recorder", async () => {
  const silent = program("process.exit(1)");
  const speaks = program("process.stdout.write('sound')");
  const found = await record([["no-such-recorder"], silent, speaks], never);
  let heard = "";
  for await (const piece of found?.sound ?? []) heard += Buffer.from(piece).toString();
  expect(heard).toBe("sound");
  expect(await record([["no-such-recorder"], silent], never)).toBeUndefined();
});

test("a recorder ends when it is stopped, and when its signal aborts", async () => {
  const endless = program("setInterval(() => process.stdout.write('sound'), 1)");
  const abort = new AbortController();
  const [one, two] = [await record([endless], never), await record([endless], abort.signal)];
  one?.stop();
  abort.abort();
  for (const found of [one, two]) for await (const piece of found?.sound ?? []) expect(piece.length).toBeGreaterThan(0);
});

test.each(["linux", "darwin", "win32", "freebsd"] as const)("%s has recorders, which are told the rate", (platform) => {
  const list = recorders(platform, 16_000);
  expect(list.length).toBeGreaterThan(0);
  for (const words of list) expect(words.join(" ")).toContain("16000");
});
