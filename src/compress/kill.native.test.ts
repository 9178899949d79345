import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../test/cli/run-main.ts";
import { makeTinyLlama } from "../../test/make-model.ts";
import { readGguf } from "../formats/gguf/read.ts";

const cli = fileURLToPath(new URL("../cli.ts", import.meta.url));

function quantize(source: string, out: string) {
  const words = ["quantize", source, "--type", "q4_k_m", "--out", out, "--data", join(source, "..", "data")];
  return spawn(process.execPath, [cli, ...words], { stdio: "ignore" });
}

describe("a quantization that is killed", () => {
  it("leaves nothing under the output's name, and what it leaves is gone after the next one", async () => {
    const folder = temporaryFolder();
    const source = await makeTinyLlama(join(folder, "source.gguf"), {
      embedding: 1024,
      layers: 6,
      heads: 8,
      type: "F16",
    });
    const out = join(folder, "out.gguf");
    const whole = quantize(source, out);
    const started = performance.now();
    await once(whole, "exit");
    const wholeMs = performance.now() - started;
    const { size } = statSync(out);
    rmSync(out);
    for (let part = 1; part <= 8; part++) {
      const child = quantize(source, out);
      const gone = once(child, "exit");
      await new Promise((resolve) => setTimeout(resolve, (wholeMs * part) / 8));
      child.kill("SIGKILL");
      await gone;
      if (!existsSync(out)) continue;
      // It came to its end before.
      expect(statSync(out).size).toBe(size);
      await readGguf(out);
      rmSync(out);
    }
    await once(quantize(source, out), "exit");
    expect(statSync(out).size).toBe(size);
    expect(readdirSync(folder).filter((name) => name.includes(".partial"))).toEqual([]);
  });
});
