/** Real TFLite models for tests: fetched by the store, loaded by the engine. */
import { createEngines } from "../src/engines/registry.ts";
import type { LoadedModel, LoadOptions } from "../src/spec/engine.ts";
import type { ModelInfo } from "../src/spec/model.ts";
import { cachedDataFolder, cachedLibrary } from "./real-model.ts";

const library = cachedLibrary();
export const notices: string[] = [];
const engines = createEngines({
  dataFolder: cachedDataFolder(),
  onNotice: (text) => notices.push(text),
});

/** Fetched once. `name`: of the catalog, or another reference. */
export async function fetchTflite(name: string): Promise<{ name: string; path: string; info: ModelInfo }> {
  const model = await library.pull(name);
  const path = model.files.find(({ role }) => role === "weights")?.path ?? "";
  return { name: model.name, path, info: await library.inspect(model) };
}

export async function loadTflite(name: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const engine = await engines.get("tflite");
  return await engine.load(await fetchTflite(name), options);
}
