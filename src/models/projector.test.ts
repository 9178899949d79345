import { readFile } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { startHub } from "../../test/hub-server.ts";
import { someBytes, temporaryLibrary } from "../../test/temporary-library.ts";
import type { ModelReference } from "../spec/model.ts";
import { chooseProjector } from "./gguf-file.ts";
import { chooseFiles } from "./sources/hf.ts";

const repo = "maker/seeing-GGUF";

/** Names of the files that a pull takes, in order. */
function chosen(
  names: readonly string[],
  reference: Partial<Extract<ModelReference, { kind: "hf" }>> = {},
): readonly string[] {
  const files = names.map((name) => ({ name, sizeBytes: 1, sha256: undefined }));
  const found = chooseFiles({ commit: "0", license: undefined, files }, { kind: "hf", repo, ...reference }, undefined);
  return found.map(({ name }) => name);
}

test("the projector of a repository comes along with its model, and no other file does", async () => {
  const names = ["see-Q8_0.gguf", "see-Q4_K_M.gguf", "mmproj-see-Q8_0.gguf", "mmproj-see-f16.gguf", "README.md"];
  const files = Object.fromEntries(names.map((name) => [name, someBytes(500, name)]));
  const hub = await startHub({ files: { [repo]: files } });
  onTestFinished(async () => {
    await hub.close();
  });
  const { library } = await temporaryLibrary({ settings: { hub: hub.url } });
  const model = await library.pull(`hf:${repo}`);
  expect(model.files.map(({ role, name }) => [role, name])).toEqual([
    ["weights", "see-Q4_K_M.gguf"],
    ["projector", "mmproj-see-f16.gguf"],
  ]);
  expect(model.sizeBytes).toBe(1000);
  expect(await readFile(model.files[1]?.path ?? "")).toEqual(files["mmproj-see-f16.gguf"]);
  expect(hub.bytesSent("mmproj-see-Q8_0.gguf")).toBe(0);
  for (const text of [`hf:${repo}`, `hf:${repo}:Q4_K_M`, model.name, model.source ?? ""]) {
    expect((await library.resolve(text)).id).toBe(model.id);
  }
  expect(await library.verify(model.name)).toMatchObject([{ status: "ok" }, { status: "ok" }]);
});

test("it comes too with a quantization, and with a file, that were asked for", () => {
  const names = ["see-Q8_0.gguf", "see-Q4_K_M.gguf", "mmproj-F32.gguf", "mmproj-BF16.gguf"];
  const expected = ["see-Q8_0.gguf", "mmproj-BF16.gguf"];
  expect(chosen(names, { quantization: "Q8_0" })).toEqual(expected);
  expect(chosen(names, { file: "see-Q8_0.gguf" })).toEqual(expected);
  expect(chosen(names, { file: "mmproj-F32.gguf" })).toEqual(["mmproj-F32.gguf"]);
});

test("all parts of a split model come with it, and it is never taken for a model", () => {
  const names = ["see-Q4_0-00001-of-00002.gguf", "see-Q4_0-00002-of-00002.gguf", "a-mmproj-f16.gguf"];
  expect(chosen(names)).toEqual(names);
  expect(() => chosen(["mmproj-see-f16.gguf"])).toThrow(expect.objectContaining({ code: "model_not_found" }));
});

test("the one in the folder of the model goes before the one at the top", () => {
  const names = ["Q4_0/see-Q4_0.gguf", "Q4_0/mmproj-Q8_0.gguf", "mmproj-F16.gguf"];
  expect(chosen(names)).toEqual(names.slice(0, 2));
  expect(chosen(["Q4_0/see-Q4_0.gguf", "mmproj-F16.gguf"])).toEqual(["Q4_0/see-Q4_0.gguf", "mmproj-F16.gguf"]);
  expect(chosen(["Q4_0/see-Q4_0.gguf", "other/mmproj-F16.gguf"])).toEqual(["Q4_0/see-Q4_0.gguf"]);
});

test.each([
  [["mmproj-F32.gguf", "mmproj-Q8_0.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf"], "mmproj-F16.gguf"],
  [["mmproj-F32.gguf", "mmproj-Q8_0.gguf", "mmproj-BF16.gguf"], "mmproj-BF16.gguf"],
  [["mmproj-F32.gguf", "mmproj-Q8_0.gguf"], "mmproj-Q8_0.gguf"],
  [["mmproj.gguf", "mmproj-model-fp16.gguf"], "mmproj-model-fp16.gguf"],
  [["llava.gguf", "llava-mmproj-Q5_0.gguf"], "llava-mmproj-Q5_0.gguf"],
  [["llava.gguf", "mmproj.txt", "commproj.gguf"], undefined],
])("of %j the projector is %s", (names, expected) => {
  expect(chooseProjector(names)).toBe(expected);
  expect(chooseProjector(names.toReversed())).toBe(expected);
});
