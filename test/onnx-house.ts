/** Real ONNX models for tests: fetched by the store, loaded by the engine. */
import { createEngines } from "../src/engines/registry.ts";
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
  const info = await library.inspect(model);
  const path = model.files.find(({ role }) => role === "weights")?.path ?? "";
  const engine = await engines.get("onnx");
  return await engine.load({ name: model.name, path, info }, options);
}
