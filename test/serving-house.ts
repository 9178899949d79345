/** A server on a socket over real engines in child processes, with tiny models that the test writes. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { Settings } from "../src/config/settings.ts";
import { ollama } from "../src/dialects/ollama/index.ts";
import { openai } from "../src/dialects/openai/routes.ts";
import { createLibrary } from "../src/models/library.ts";
import type { InstalledModel } from "../src/spec/model.ts";
import type { LoadedStatus } from "../src/runtime/contract.ts";
import type { App } from "../src/server/app.ts";
import { createApp } from "../src/server/app.ts";
import type { ErrorRecord } from "../src/server/exchange.ts";
import { listen } from "../src/server/listen.ts";
import type { Hearth } from "../src/tasks/contract.ts";
import { createHearth } from "../src/tasks/hearth.ts";
import { defaultSettings } from "./fake-hearth.ts";
import { makeTinyBert, makeTinyLlama } from "./make-model.ts";

export interface ServingHouse {
  readonly folder: string;
  readonly hearth: Hearth;
  readonly app: App;
  readonly port: number;
  /** What was said to the person at the terminal, and what the server has logged. */
  readonly notices: readonly string[];
  readonly errors: readonly ErrorRecord[];
  /** A loaded model; throws where it is not loaded. */
  loaded(name?: string): LoadedStatus;
  /** Resolves when nothing runs or waits anywhere and no block is held; fails where that does not come to be. */
  settled(): Promise<void>;
  dispose(): Promise<void>;
}

export interface ServingOptions extends Partial<Settings> {
  /** Lines of the file of API keys. */
  readonly keys?: readonly string[];
  /** A folder that an earlier house has left. */
  readonly folder?: string;
}

export async function temporaryData(): Promise<string> {
  return await mkdtemp(join(tmpdir(), "hearth-serving-"));
}

/** Two models, `tiny` and the encoder `bert`, on flint with two threads. */
export async function openServing({ keys, folder: given, ...more }: ServingOptions = {}): Promise<ServingHouse> {
  const folder = given ?? (await temporaryData());
  const [tiny, bert] = [join(folder, "tiny.gguf"), join(folder, "bert.gguf")];
  await makeTinyLlama(tiny, { context: 2048, seed: 5 });
  await makeTinyBert(bert, { seed: 5 });
  const apiKeyFile = keys && join(folder, "keys.txt");
  if (keys && apiKeyFile) await writeFile(apiKeyFile, keys.join("\n"));
  const fixed = { data: folder, offline: true, device: "cpu", engine: "flint", diskCache: 0, threads: 2 } as const;
  const settings: Settings = { ...defaultSettings, ...fixed, context: 2048, apiKeyFile, ...more };
  const files = createLibrary({ dataFolder: folder, foreign: undefined, settings });
  const models = new Map<string, InstalledModel>();
  for (const [name, path] of [["tiny", tiny], ["bert", bert]] as const) models.set(name, { ...(await files.resolve(path)), name });
  const library = { ...files, resolve: async (name: string) => models.get(name) ?? (await files.resolve(name)) };
  const notices: string[] = [];
  const errors: ErrorRecord[] = [];
  const hearth = createHearth({ settings, library, onNotice: (text) => notices.push(text) });
  const app = createApp({ hearth, dialects: [openai, ollama], onError: (record) => errors.push(record) });
  const listener = await listen({ app, host: "127.0.0.1", port: 0 });
  const loaded = (name = "tiny"): LoadedStatus => {
    const found = hearth.runtime.loaded().find((status) => status.name === name);
    if (!found) throw new Error(`${name} is not loaded`);
    return found;
  };
  return {
    folder,
    hearth,
    app,
    port: listener.address.port,
    notices,
    errors,
    loaded,
    async settled() {
      const state = () => ({ server: app.state.running, ...busyness(hearth) });
      await expect.poll(state, { timeout: 20_000, interval: 50 }).toEqual({ server: 0, ...nothing });
    },
    async dispose() {
      listener.destroy();
      await listener.close();
      await hearth.dispose();
      if (given === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Busyness {
  readonly turns: number;
  readonly queued: number;
  /** Of all engines. */
  readonly running: number;
  readonly waiting: number;
  readonly blocks: number;
}

const nothing: Busyness = { turns: 0, queued: 0, running: 0, waiting: 0, blocks: 0 };

function busyness({ runtime }: Hearth): Busyness {
  const { running: turns, waiting: queued } = runtime.stats();
  const stats = runtime.loaded().flatMap((status) => status.stats ?? []);
  const sum = (read: (one: (typeof stats)[number]) => number): number =>
    stats.reduce((total, one) => total + read(one), 0);
  return {
    turns,
    queued,
    running: sum(({ running }) => running),
    waiting: sum(({ waiting }) => waiting),
    blocks: sum(({ blocks }) => blocks.used),
  };
}
