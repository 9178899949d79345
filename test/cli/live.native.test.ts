/** Live transcription as a person has it: a process with sound on its stdin, which comes about as fast as it is spoken. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { readSound } from "../../src/formats/audio/read.ts";
import { toPcm16, wavHeader } from "../../src/formats/audio/write.ts";
import { testPack } from "../pack.ts";
import { cachedDataFolder, cachedLibrary } from "../real-model.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pack = await testPack("speech");
const rate = 16_000;
/** What is said, and three seconds of silence, in 16 bits. */
const speech = Buffer.concat(
  (
    await Array.fromAsync(
      readSound({ path: join(root, "src/engines/onnx/__fixtures__/speech.wav") }, { sampleRate: rate }),
    )
  ).map(toPcm16),
);
const silence = Buffer.alloc(3 * rate * 2);
/** A header that does not say how much comes. */
const header = wavHeader({ sampleRate: rate });

function listen(): {
  readonly child: ReturnType<typeof spawn>;
  readonly text: () => string;
  readonly code: Promise<number>;
} {
  const env = { ...process.env, HEARTH_DATA: cachedDataFolder(), HEARTH_OFFLINE: "1" };
  const cli = join(root, "src", "cli.ts");
  const child = spawn(process.execPath, [cli, "transcribe", "-", "--live", "--json"], { env, cwd: root });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  child.stdin.on("error", () => {});
  const code = new Promise<number>((resolve) => child.once("close", (value) => resolve(value ?? -1)));
  return { child, text: () => text, code };
}

/** In pieces of a tenth of a second. */
async function speak(child: ReturnType<typeof spawn>, bytes: Uint8Array): Promise<void> {
  const size = (rate / 10) * 2;
  for (let at = 0; at < bytes.length; at += size) {
    child.stdin?.write(bytes.subarray(at, at + size));
    await pause(100);
  }
}

const finals = (text: string): string[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly type: string; readonly text: string })
    .flatMap(({ type, text: said }) => (type === "final" ? [said.toLowerCase()] : []));

describe.skipIf(pack === undefined)("hearth transcribe --live", () => {
  beforeAll(async () => void (await cachedLibrary().pull("moonshine")));

  test("writes down what is said while it is said, and settles it in the pause", async () => {
    const { child, text, code } = listen();
    await speak(child, Buffer.concat([header, speech]));
    while (!text().includes('"partial"')) await pause(100);
    expect(text()).not.toContain('"final"');
    await speak(child, silence);
    while (!text().includes('"final"')) await pause(100);
    await speak(child, speech);
    child.stdin?.end();
    expect(await code).toBe(0);
    const said = finals(text());
    expect(said.length).toBeGreaterThanOrEqual(2);
    expect(said.join(" ").match(/you can do for your country/g)).toHaveLength(2);
  });

  test("ends with the last words after Ctrl-C", async () => {
    const { child, text, code } = listen();
    await speak(child, Buffer.concat([header, speech]));
    while (!text().includes('"partial"')) await pause(100);
    child.kill("SIGINT");
    expect(await code).toBe(0);
    expect(finals(text()).join(" ")).toContain("you can do for your country");
  });
});
