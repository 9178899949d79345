import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { modelBytes, tinyLlama } from "../../../../../test/make-model.ts";
import { readGguf } from "../../../../formats/gguf/read.ts";
import { checkModel } from "../../check.ts";
import type { IdentifiedLoad } from "./identity.ts";
import { identifyLoad } from "./identity.ts";

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "hearth-identity-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function loadOf(path: string): Promise<IdentifiedLoad> {
  const header = await readGguf(path);
  return { path, header, layers: checkModel(header).hyperparameters.layers, options: {} };
}

test("a model is the same under another name, and another one when any of its bytes is", async () => {
  const folder = temporaryFolder();
  const [one, copy, other] = ["one", "copy", "other"].map((name) => join(folder, `${name}.gguf`)) as [
    string,
    string,
    string,
  ];
  const bytes = modelBytes(tinyLlama());
  writeFileSync(one, bytes);
  copyFileSync(one, copy);
  const changed = bytes.slice();
  const middle = Math.floor(changed.length * 0.7);
  changed[middle] = (changed[middle] ?? 0) ^ 1;
  writeFileSync(other, changed);
  const [identity, ...others] = await Promise.all(
    [one, copy, other].map(async (path) => identifyLoad(await loadOf(path))),
  );
  expect(others[0]).toBe(identity);
  expect(others[1]).not.toBe(identity);
});

test("types of the cache, figures of the layers and adapters are part of what a block depends on", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "one.gguf");
  const adapter = join(folder, "adapter.gguf");
  writeFileSync(path, modelBytes(tinyLlama()));
  writeFileSync(adapter, modelBytes(tinyLlama({ seed: 2 })));
  const load = await loadOf(path);
  const rope = { dimensions: 8, pairing: "halves", base: 1 } as const;
  const identities = await Promise.all(
    [
      load,
      { ...load, options: { kvTypeK: "q8_0" as const } },
      { ...load, options: { kvTypeV: "q8_0" as const } },
      { ...load, layers: load.layers.map((layer) => ({ ...layer, rope })) },
      { ...load, options: { adapters: [{ path: adapter }] } },
      { ...load, options: { adapters: [{ path: adapter }, { path: adapter }] } },
    ].map(async (one) => await identifyLoad(one)),
  );
  expect(new Set(identities).size).toBe(identities.length);
  const spelledOut = await identifyLoad({ ...load, options: { kvTypeK: "f16", kvTypeV: "f16" } });
  expect(spelledOut).toBe(identities[0]);
});
