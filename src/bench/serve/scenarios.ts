/** The rows of the table in which the project says how fast many users must be served. */
import { createAgent, type AgentSizes } from "./agent.ts";
import { createBatch, type BatchSizes } from "./batch.ts";
import { createMixed, type MixedSizes } from "./mixed.ts";
import { createPrefix, type PrefixSizes } from "./prefix.ts";
import { createQueue, type QueueSizes } from "./queue.ts";
import { createRestart, type RestartSizes } from "./restart.ts";
import type { Scenario, ScenarioName } from "./scenario.ts";
import { createOrdinary, createRepeat, type SpeculationSizes } from "./speculation.ts";

export interface Sizes {
  readonly batch: BatchSizes;
  readonly mixed: MixedSizes;
  readonly prefix: PrefixSizes;
  readonly agent: AgentSizes;
  readonly restart: RestartSizes;
  readonly repeat: SpeculationSizes;
  readonly ordinary: SpeculationSizes;
  readonly queue: QueueSizes;
}

/** Every scenario fits into a context of 2,048 tokens. */
export const defaultSizes: Sizes = {
  batch: { clients: 8, promptTokens: 128, tokens: 128 },
  mixed: { clients: 16, requests: 2, least: 16, most: 1024 },
  prefix: { clients: 8, prefixTokens: 1000, ownTokens: 20 },
  agent: { turns: 20, newTokens: 60, answerTokens: 40 },
  restart: { prefixTokens: 2000, ownTokens: 20 },
  repeat: { tokens: 256, texts: 2 },
  ordinary: { tokens: 128, texts: 2 },
  queue: { clients: 200, users: 8, heavy: 60, slots: 8, promptTokens: 64, tokens: 16 },
};

export function createScenarios(sizes: Sizes): Readonly<Record<ScenarioName, Scenario>> {
  return {
    batch: createBatch(sizes.batch),
    mixed: createMixed(sizes.mixed),
    prefix: createPrefix(sizes.prefix),
    agent: createAgent(sizes.agent),
    restart: createRestart(sizes.restart),
    repeat: createRepeat(sizes.repeat),
    ordinary: createOrdinary(sizes.ordinary),
    queue: createQueue(sizes.queue),
  };
}
