import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../../test/make-checkpoint.ts";
import { makeTinyLlama } from "../../../test/make-model.ts";
import { convert } from "./convert.ts";

const script = fileURLToPath(new URL("../../../test/convert-child.ts", import.meta.url));

/** Runs a conversion; whether it was killed `ms` after it had begun. */
async function run(source: string, out: string, ms: number): Promise<boolean> {
  const child = spawn(process.execPath, [script, source, out], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close") as Promise<[number | null, string | null]>;
  await once(child.stdout, "data");
  await Promise.race([pause(ms), closed]);
  child.kill("SIGKILL");
  return (await closed)[1] === "SIGKILL";
}

/** Of all files, in the order of their names. */
function digest(path: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(path).sort()) hash.update(name).update(readFileSync(join(path, name)));
  return hash.digest("hex");
}

test("killed at any time, a conversion shows its whole output or none", { timeout: 180_000 }, async () => {
  const folder = temporaryFolder();
  const gguf = await makeTinyLlama(join(folder, "model.gguf"), {
    embedding: 1024,
    heads: 16,
    layers: 1,
    vocabulary: 1000,
  });
  const checkpoint = join(folder, "model");
  await convert({ source: gguf, out: checkpoint });
  const whole = { gguf: createHash("sha256"), folder: digest(checkpoint) };
  const jobs = [
    { source: checkpoint, out: join(folder, "out.gguf") },
    { source: gguf, out: join(folder, "out") },
  ];
  await convert({ source: checkpoint, out: join(folder, "known.gguf") });
  const known = whole.gguf.update(readFileSync(join(folder, "known.gguf"))).digest("hex");
  for (const { source, out } of jobs) {
    let kills = 0;
    for (let ms = 0; ms <= 300; ms += 30) {
      if (await run(source, out, ms)) kills++;
      if (!existsSync(out)) continue;
      const isFile = out.endsWith(".gguf");
      const found = isFile ? createHash("sha256").update(readFileSync(out)).digest("hex") : digest(out);
      expect(found).toBe(isFile ? known : whole.folder);
      rmSync(out, { recursive: true });
    }
    expect(kills).toBeGreaterThan(3);
    // What the dead left goes with the next one.
    await convert({ source, out });
    expect(readdirSync(folder).filter((name) => name.endsWith(".partial"))).toEqual([]);
  }
});
