/** Real ONNX models for tests: fetched by the store, loaded by the engine. */
import { createEngines } from "../src/engines/registry.ts";
import { describeOnnx } from "../src/models/describe-onnx.ts";
import type { LoadedModel, LoadOptions } from "../src/spec/engine.ts";
import { cachedDataFolder, cachedLibrary } from "./real-model.ts";

const library = cachedLibrary();
export const notices: string[] = [];
const engines = createEngines({
  dataFolder: cachedDataFolder(),
  onNotice: (text) => notices.push(text),
});

/** `name`: of the catalog, or another reference. */
export async function loadOnnx(name: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const model = await library.pull(name);
  const path = model.files.find(({ role }) => role === "weights")?.path ?? "";
  // Not `library.inspect`: some of them would run on another engine.
  const info = describeOnnx(path, model);
  const engine = await engines.get("onnx");
  return await engine.load({ name: model.name, path, info }, options);
}

/** A folder in the layout of transformers.js. */
export async function loadOnnxFolder(folder: string): Promise<LoadedModel> {
  const model = await library.resolve(folder);
  const path = model.files.find(({ role }) => role === "weights")?.path ?? "";
  const engine = await engines.get("onnx");
  return await engine.load({ name: model.name, path, info: await library.inspect(model) }, {});
}
