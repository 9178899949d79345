/** Starts an example as a person would. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const examplesFolder: URL = new URL("../examples/", import.meta.url);

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** What was written to either stream. */
  readonly output: string;
}

export async function runExample(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const path = fileURLToPath(new URL(name, examplesFolder));
  const child = spawn(process.execPath, [path, ...args], { env: { ...process.env, ...env } });
  let stdout = "";
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const { promise, resolve } = Promise.withResolvers<Ended>();
  child.once("close", (code) => resolve({ code, stdout, output }));
  return await promise;
}
