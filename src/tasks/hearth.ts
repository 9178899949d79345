/** Puts library, engines and runtime together behind the typed tasks. */
import { loadSettings } from "../config/load.ts";
import { cacheFolder, dataFolder, foreignFolders } from "../config/paths.ts";
import type { Settings } from "../config/settings.ts";
import type { Engines } from "../engines/contract.ts";
import { createEngines } from "../engines/registry.ts";
import type { ModelLibrary } from "../models/contract.ts";
import { createLibrary } from "../models/library.ts";
import type { Runtime } from "../runtime/contract.ts";
import { createRuntime } from "../runtime/runtime.ts";
import type { GenerationOptions } from "../spec/task.ts";
import type { Hearth } from "./contract.ts";
import { later } from "./stream.ts";

export interface HearthOptions {
  /** What is not given comes from the environment and `settings.json`, like for the command line. */
  readonly settings?: Partial<Settings>;
  readonly engines?: Engines;
  readonly library?: ModelLibrary;
  readonly runtime?: Runtime;
  /** One line for people, e.g. that an engine is being installed. */
  readonly onNotice?: (text: string) => void;
}

/** Opens nothing and loads nothing until it is asked to. */
export function createHearth(options: HearthOptions = {}): Hearth {
  const settings: Settings = { ...loadSettings().settings, ...options.settings };
  const folder = settings.data ?? dataFolder();
  const library = options.library ?? createLibrary({ dataFolder: folder, settings, foreign: foreignFolders() });
  const { onNotice = () => {} } = options;
  const engines = (): Engines =>
    options.engines ??
    createEngines({ dataFolder: folder, cacheFolder: cacheFolder(settings.data), settings, onNotice });
  const runtime = options.runtime ?? createRuntime({ library, engines: engines(), settings });
  const withPolicy = <T extends GenerationOptions>(request: T): T =>
    request.overflow === undefined ? { ...request, overflow: settings.overflow } : request;
  return {
    settings,
    library,
    runtime,
    chat: (request) => later(async () => (await import("./chat.ts")).chat(runtime, withPolicy(request))),
    complete: (request) => later(async () => (await import("./complete.ts")).complete(runtime, withPolicy(request))),
    embed: async (request) => await (await import("./embed.ts")).embed(runtime, request),
    rerank: async (request) => await (await import("./rerank.ts")).rerank(runtime, request),
    perform: async (request) => await (await import("./perform.ts")).perform(runtime, request),
    dispose: async () => {
      await runtime.dispose();
    },
  };
}
