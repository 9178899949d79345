/** The examples are programs: each is started as a person would start it. */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const folder = new URL("../examples/", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".ts"));

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

async function run(name: string, ...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(name, folder)), ...args]);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const { promise, resolve } = Promise.withResolvers<Ended>();
  child.once("close", (code) => resolve({ code, output }));
  return await promise;
}

describe("the examples", () => {
  it("are there", () => {
    expect(names).toEqual(["chat.ts", "many.ts", "pull.ts", "similarity.ts", "stream.ts", "tools.ts"]);
  });

  it.for(names)("%s says what is wrong with a model that does not exist", async (name) => {
    const { code, output } = await run(name, "no-such-model");
    expect(output).toContain("no-such-model");
    expect(output).toContain("HearthError");
    expect(code).toBe(1);
  });
});
