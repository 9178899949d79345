/** The tasks over the real runtime and the fake engine: nothing is mocked but the model. */
import type { FakeEngine } from "../src/engines/fake/engine.ts";
import { createFakeEngine } from "../src/engines/fake/engine.ts";
import type { FakeModel as LoadedFake } from "../src/engines/fake/model.ts";
import type { FakeOptions } from "../src/engines/fake/options.ts";
import type { Runtime } from "../src/runtime/contract.ts";
import { createRuntime } from "../src/runtime/runtime.ts";
import type { GenerateRequest } from "../src/spec/engine.ts";
import type { ChatEvent } from "../src/spec/event.ts";
import type { ModelInfo, ModelOverrides } from "../src/spec/model.ts";
import { defaultSettings } from "./fake-hearth.ts";
import { promptText } from "./prompt-texts.ts";
import { createFakeLibrary } from "./fake-library.ts";

export interface TaskHouse {
  readonly runtime: Runtime;
  readonly engine: FakeEngine;
  /** The model of the latest load. */
  readonly loaded: () => LoadedFake;
  /** The latest request that the engine got. */
  readonly lastRequest: () => GenerateRequest;
}

export interface TaskHouseOptions extends FakeOptions {
  readonly info?: Partial<ModelInfo>;
  readonly overrides?: ModelOverrides;
}

/** A house with one installed model, `tiny`. */
export function createTaskHouse({ info = {}, overrides, ...fake }: TaskHouseOptions = {}): TaskHouse {
  const engine = createFakeEngine(fake);
  const runtime = createRuntime({
    library: createFakeLibrary([{ name: "tiny", info, ...(overrides && { overrides }) }]),
    engines: { choose: async () => ({ engine: "fake", device: "cpu", reasons: [] }), get: async () => engine },
    settings: defaultSettings,
    memory: () => ({ totalBytes: 64 * 1024 ** 3, availableBytes: 60 * 1024 ** 3 }),
  });
  const loaded = (): LoadedFake => {
    const model = engine.models.at(-1);
    if (!model) throw new Error("No model was loaded.");
    return model;
  };
  const lastRequest = (): GenerateRequest => {
    const request = loaded().requests.at(-1);
    if (!request) throw new Error("The engine got no request.");
    return request;
  };
  return { runtime, engine, loaded, lastRequest };
}

export async function collect(events: AsyncIterable<ChatEvent>): Promise<ChatEvent[]> {
  const all: ChatEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** The text of one completion. */
export function textOf(events: readonly ChatEvent[], index = 0): string {
  return events.map((event) => (event.type === "text-delta" && event.index === index ? event.text : "")).join("");
}

export function eventOf<Type extends ChatEvent["type"]>(
  events: readonly ChatEvent[],
  type: Type,
): Extract<ChatEvent, { type: Type }> {
  const found = events.find((event): event is Extract<ChatEvent, { type: Type }> => event.type === type);
  if (!found) throw new Error(`There is no ${type} among ${events.map((event) => event.type).join(", ")}.`);
  return found;
}

/** The whole prompt as text. */
export function promptOf({ prompt }: GenerateRequest): string {
  return prompt.map((part) => (typeof part === "number" ? `#${part}` : promptText([part]))).join("");
}
