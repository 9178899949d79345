import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

/** A program that loads a model, prints the child's id and is killed. */
const program = `
import { loadHosted } from ${JSON.stringify(new URL("load.ts", import.meta.url).href)};
const info = { format: "gguf", architecture: "llama", trainContextTokens: 64, embeddingLength: 8, kvBytesPerToken: 1, weightBytes: 1, capabilities: ["generate"] };
const model = await loadHosted({
  entry: new URL(${JSON.stringify(new URL("../fake/child.ts", import.meta.url).href)}),
  engine: "fake", env: { PATH: process.env.PATH }, setup: { reply: "one two", at: 1, action: MODE }, options: {},
  model: { name: "tiny", path: "/nowhere", info },
});
console.log(model.pid);
for await (const event of model.generate({ prompt: [{ text: "hi", special: false }], sampling: {} })) {}
`;

/** A process that ended and that nobody has collected yet is gone too. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 300; tries++) {
    if (!runs(pid)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

it("leaves no engine behind when hearth itself is killed", async () => {
  const parent = spawn(process.execPath, ["--input-type=module", "--eval", program.replace("MODE", '"wait"')], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  expect(pid).toBeGreaterThan(0);
  parent.kill("SIGKILL");
  await once(parent, "exit");
  expect(await gone(pid)).toBe(true);
});

it("lets a program end that forgot to unload its model", async () => {
  const parent = spawn(process.execPath, ["--input-type=module", "--eval", program.replace("MODE", "undefined")], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const [code] = (await once(parent, "exit")) as [number];
  expect(code).toBe(0);
  expect(await gone(Number(line.toString()))).toBe(true);
});
