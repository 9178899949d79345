/** Which engine answers, from the model file to the answer, with both engines at hand. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHearth } from "../src/tasks/hearth.ts";
import type { Hearth } from "../src/tasks/contract.ts";
import type { LoadOptions } from "../src/spec/engine.ts";
import { makeTinyLlama } from "./make-model.ts";
import { collect, textOf } from "./task-house.ts";

const notices: string[] = [];
let folder: string;
let hearth: Hearth;
let plain: string;
let strange: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-choice-"));
  plain = await makeTinyLlama(join(folder, "plain.gguf"));
  const metadata = { "tokenizer.ggml.model": { type: "string", value: "rwkv" } } as const;
  strange = await makeTinyLlama(join(folder, "strange.gguf"), { metadata });
  const settings = { data: folder, offline: true, device: "cpu", engine: "auto" } as const;
  hearth = createHearth({ settings, onNotice: (line) => notices.push(line) });
});

afterAll(async () => {
  await hearth.dispose();
  await rm(folder, { recursive: true, force: true });
});

async function engineOf(model: string, load: LoadOptions = {}): Promise<string> {
  const answer = hearth.complete({ model, load, prompt: "the people", maxTokens: 4, sampling: { temperature: 0 } });
  expect(textOf(await collect(answer))).not.toBe("");
  return hearth.runtime.loaded()[0]?.engine ?? "none";
}

describe("a model on the CPU", () => {
  test("runs on flint where flint knows it, and says where its time goes", async () => {
    expect(await engineOf(plain)).toBe("flint");
    const lease = await hearth.runtime.acquire({ model: plain });
    await lease.loaded.profile?.();
    lease.release();
    await engineOf(plain);
    const profile = await lease.loaded.profile?.();
    expect(profile?.steps).toBeGreaterThan(0);
    expect(profile?.rows.length).toBeGreaterThan(3);
    expect(lease.loaded.memory().residentBytes).toBeGreaterThan(0);
    expect(notices).toEqual([]);
    await hearth.runtime.stop(plain);
  });

  test("runs on llama for options that flint cannot honour, or when asked for", async () => {
    expect(await engineOf(plain, { kvTypeK: "f32", kvTypeV: "f32" })).toBe("llama");
    expect(await engineOf(plain, { engine: "flint" })).toBe("flint");
    expect(await engineOf(plain, { engine: "llama" })).toBe("llama");
    await hearth.runtime.stop(plain);
  });

  test("runs on llama with the reason printed where flint refuses the file", async () => {
    expect(await engineOf(strange)).toBe("llama");
    expect(notices).toEqual([expect.stringMatching(/strange\.gguf runs on llama\.cpp, not on flint: .*"rwkv"/)]);
    expect((await hearth.runtime.plan(strange)).choice.reasons[1]).toMatch(/^not flint: .*"rwkv"/);
    await expect(engineOf(strange, { engine: "flint" })).rejects.toMatchObject({ code: "model_unsupported" });
  });
});
