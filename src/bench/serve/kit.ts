/** The contestants of one bench, all with the same threads and context. */
import { settingsTable, type Settings } from "../../config/settings.ts";
import type { Plan } from "../../runtime/contract.ts";
import type { Contestant } from "../measure.ts";
import { createPeer } from "../peer.ts";
import { createPrompts, createRandom } from "../workload.ts";
import { createHearthServer } from "./hearth-server.ts";
import type { House } from "./house.ts";
import { createLlamaServer } from "./llama-server.ts";
import type { ServeBenchOptions } from "./options.ts";
import type { Kit } from "./scenario.ts";

/** What is the same in all scenarios. */
export interface Bench {
  readonly options: ServeBenchOptions;
  readonly plan: Plan;
  readonly modelPath: string;
  readonly threads: number;
  readonly contextTokens: number;
  readonly house: House;
  /** Path of llama-server; undefined: it takes no part. */
  readonly llamaServer: string | undefined;
}

export function createKit(bench: Bench, runs: number): Kit {
  const { options, plan, contextTokens, house } = bench;
  const { signal } = options;
  return {
    runs,
    contextTokens,
    signal,
    note: (line) => options.onProgress?.(line),
    hearth: (server) =>
      createHearthServer(
        {
          ...house,
          program: options.program,
          flags: serverFlags(bench),
          chats: plan.info.capabilities.includes("chat"),
          signal,
        },
        server,
      ),
    peers: (slots) => createPeers(bench, slots),
    prompts: (seed) => createPrompts(plan.info.vocabularySize, createRandom(seed)),
  };
}

function createPeers(bench: Bench, slots: number): Contestant[] {
  const { options, modelPath, threads, contextTokens, llamaServer } = bench;
  if (!options.vs) return [];
  const common = { modelPath, threads, contextTokens };
  const peer = createPeer({ ...common, module: options.peerModule ?? "", parallel: slots, keepHistory: true });
  if (llamaServer === undefined) return [peer];
  return [peer, createLlamaServer({ ...common, command: llamaServer, slots, signal: options.signal })];
}

/** Settings of the caller that change how the model runs. */
const passedOn = ["engine", "kvTypeK", "kvTypeV", "flashAttention", "gpuLayers", "cacheTokens", "memory"] as const;

function serverFlags(bench: Bench): string[] {
  const { settings } = bench.options.hearth;
  const chosen = passedOn.filter((name) => settings[name] !== settingsTable[name].default);
  return [
    `--context=${bench.contextTokens}`,
    `--threads=${bench.threads}`,
    `--device=${deviceOf(bench)}`,
    // The contestants wait for each other.
    "--keep-alive=-1",
    "--sleep-after=off",
    "--drain=5",
    "--offline",
    ...chosen.map((name) => `--${settingsTable[name].flag}=${String(settings[name])}`),
  ];
}

/** The peers compute on the CPU. */
export function deviceOf({ options, plan }: Bench): Settings["device"] {
  return options.vs ? "cpu" : plan.choice.device;
}
