/** A server on a socket over flint in child processes, with tiny models that the test writes. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { Settings } from "../src/config/settings.ts";
import { ollama } from "../src/dialects/ollama/index.ts";
import { openai } from "../src/dialects/openai/routes.ts";
import type { ModelLibrary } from "../src/models/contract.ts";
import { createLibrary } from "../src/models/library.ts";
import type { LoadedStatus } from "../src/runtime/contract.ts";
import type { App } from "../src/server/app.ts";
import { createApp } from "../src/server/app.ts";
import { listen } from "../src/server/listen.ts";
import type { EngineStats } from "../src/spec/engine.ts";
import type { InstalledModel } from "../src/spec/model.ts";
import type { Hearth } from "../src/tasks/contract.ts";
import { createHearth } from "../src/tasks/hearth.ts";
import { defaultSettings } from "./fake-hearth.ts";
import { makeTinyBert, makeTinyLlama } from "./make-model.ts";
import type { Received, Visit } from "./visitor.ts";
import { visit } from "./visitor.ts";

export interface ServingHouse {
  readonly folder: string;
  readonly hearth: Hearth;
  /** Lines for the person at the terminal, errors that the server logs, and warnings of this process. */
  readonly said: readonly string[];
  readonly post: (path: string, body: object, visitor?: Visitor) => Promise<Received>;
  /** A completion of up to 16 tokens by the model `tiny`, unless the body says otherwise. */
  readonly ask: (body?: object, visitor?: Visitor) => Promise<Received>;
  /** Throws where the model is not loaded. */
  loaded(name?: string): LoadedStatus;
  /** Resolves when nothing runs or waits anywhere and no block is held; throws where that does not come to be. */
  readonly settled: (timeoutMs?: number) => Promise<void>;
  /** The folder stays where an earlier house has left it. */
  dispose(): Promise<void>;
}

export type Visitor = Omit<Visit, "port" | "path" | "body">;

export interface ServingOptions extends Partial<Settings> {
  /** Lines of the file of API keys. */
  readonly keys?: readonly string[];
  /** With what an earlier house has left in it. Default: a new one. */
  readonly folder?: string;
}

export async function servingFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "hearth-serving-"));
}

/** The models are `tiny` and the encoder `bert`; tiny's context is 2,048 tokens where the options do not say. */
export async function openServing({ keys, folder: given, ...more }: ServingOptions = {}): Promise<ServingHouse> {
  const folder = given ?? (await servingFolder());
  const apiKeyFile = keys && join(folder, "keys.txt");
  if (keys && apiKeyFile) await writeFile(apiKeyFile, keys.join("\n"));
  const fixed = { data: folder, offline: true, device: "cpu", engine: "flint", diskCache: 0, threads: 2 } as const;
  const settings: Settings = { ...defaultSettings, ...fixed, context: 2048, apiKeyFile, ...more };
  const said: string[] = [];
  const library = await writeModels(folder, settings);
  const hearth = createHearth({ settings, library, onNotice: (text) => said.push(text) });
  const app = createApp({ hearth, dialects: [openai, ollama], onError: ({ error }) => said.push(String(error)) });
  const onWarning = (warning: Error): void => void said.push(String(warning));
  process.on("warning", onWarning);
  const listener = await listen({ app, host: "127.0.0.1", port: 0 });
  const post: ServingHouse["post"] = (path, body, visitor) =>
    visit({ port: listener.address.port, path, body, ...visitor });
  return {
    folder,
    hearth,
    said,
    post,
    ask: (body, visitor) => post("/v1/completions", { ...shortAnswer, ...body }, visitor),
    loaded: (name) => findLoaded(hearth, name),
    async settled(timeout = 20_000) {
      await expect.poll(() => busyness(hearth, app), { timeout }).toEqual(idle);
    },
    async dispose() {
      listener.destroy();
      await listener.close();
      await hearth.dispose();
      process.off("warning", onWarning);
      if (given === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

const shortAnswer = { model: "tiny", prompt: "the people", temperature: 0, ignore_eos: true, max_tokens: 16 };

async function writeModels(dataFolder: string, settings: Settings): Promise<ModelLibrary> {
  const library = createLibrary({ dataFolder, foreign: undefined, settings });
  const paths = {
    tiny: await makeTinyLlama(join(dataFolder, "tiny.gguf"), { context: 8192, seed: 5 }),
    bert: await makeTinyBert(join(dataFolder, "bert.gguf"), { seed: 5 }),
  };
  const models = new Map<string, InstalledModel>();
  for (const [name, path] of Object.entries(paths)) models.set(name, { ...(await library.resolve(path)), name });
  return { ...library, resolve: async (name) => models.get(name) ?? (await library.resolve(name)) };
}

function findLoaded({ runtime }: Hearth, name = "tiny"): LoadedStatus {
  const found = runtime.loaded().find((status) => status.name === name);
  if (!found) throw new Error(`${name} is not loaded`);
  return found;
}

/** Requests in the server, turns and queue of the runtime, and what its engines do, in sum. */
function busyness({ runtime }: Hearth, { state }: App): Record<string, number> {
  const { running: turns, waiting: queued } = runtime.stats();
  const stats = runtime.loaded().flatMap((status) => status.stats ?? []);
  const sum = (read: (one: EngineStats) => number): number => stats.reduce((total, one) => total + read(one), 0);
  return {
    requests: state.running,
    turns,
    queued,
    running: sum(({ running }) => running),
    waiting: sum(({ waiting }) => waiting),
    blocks: sum(({ blocks }) => blocks.used),
  };
}

const idle = { requests: 0, turns: 0, queued: 0, running: 0, waiting: 0, blocks: 0 };
