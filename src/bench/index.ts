/** `hearth bench`: ours and a peer in turn, in one run, with the same prompts. */
import { availableParallelism, loadavg } from "node:os";
import { HearthError } from "../error.ts";
import type { LoadOptions } from "../spec/engine.ts";
import type { Hearth } from "../tasks/contract.ts";
import { measureRound, type Contestant, type Figures } from "./measure.ts";
import { createOurs } from "./ours.ts";
import { createPeer } from "./peer.ts";
import { compare, summarize, type BenchReport } from "./report.ts";
import { createWorkload } from "./workload.ts";

export { formatReport, type BenchReport } from "./report.ts";

export interface BenchOptions {
  readonly hearth: Hearth;
  readonly model: string;
  readonly vs?: "llama.cpp";
  /** Module of node-llama-cpp as a URL; needed with `vs`. */
  readonly peerModule?: string;
  readonly runs?: number;
  readonly promptTokens?: number;
  readonly decodeTokens?: number;
  readonly clients?: readonly number[];
  readonly load?: LoadOptions;
  readonly signal?: AbortSignal;
  readonly onProgress?: (line: string) => void;
}

export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { hearth, model, runs = 3, promptTokens = 512, decodeTokens = 128, clients = [1, 4, 8, 16] } = options;
  const installed = await hearth.library.resolve(model);
  const plan = await hearth.runtime.plan(installed.name, options.load);
  const { contextTokens, parallel } = plan.load;
  const needed = promptTokens + 1;
  if (contextTokens < needed || contextTokens < decodeTokens + 64) {
    throw new HearthError("usage", `A context of ${contextTokens} tokens is too short for this bench.`, {
      hint: "Lower --prompt-tokens and --tokens, or raise --context.",
    });
  }
  const before = loadavg()[0] ?? 0;
  const contestants = createContestants(options, plan.load, installed.files[0]?.path ?? "");
  const results = new Map<string, Figures[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < runs; round++) {
    options.signal?.throwIfAborted();
    options.onProgress?.(`round ${round + 1} of ${runs}`);
    const workload = createWorkload({
      vocabularySize: plan.info.vocabularySize,
      promptTokens,
      decodeTokens,
      clients: Math.max(...clients),
      seed: round + 1,
    });
    // Who is first changes from round to round: neither always finds the machine warm.
    const order = round % 2 === 0 ? contestants : contestants.toReversed();
    const figures = await measureRound(order, workload, clients);
    order.forEach(({ name }, index) => {
      const row = figures[index];
      if (row) results.get(name)?.push(row);
    });
  }
  const ours = results.get("hearth") ?? [];
  const peer = options.vs ? results.get(options.vs) : undefined;
  return {
    model: installed.name,
    engine: plan.choice.engine,
    device: plan.choice.device,
    rounds: runs,
    promptTokens,
    decodeTokens,
    parallel,
    contextTokens,
    machineLoad: { before, after: loadavg()[0] ?? 0 },
    ours: summarize(ours),
    ...(peer && { peer: { name: options.vs ?? "", ...summarize(peer) }, ratio: compare(ours, peer) }),
  };
}

function createContestants(options: BenchOptions, load: LoadOptions, modelPath: string): Contestant[] {
  const ours = createOurs(options.hearth, options.model, load);
  if (!options.vs) return [ours];
  if (!options.peerModule) {
    throw new HearthError("engine_missing", "The peer node-llama-cpp is not installed.", {
      hint: "Install it with `hearth engines add llama`.",
    });
  }
  // Left to itself, the peer may start more threads than there are cores, and then takes seconds for a token.
  const { contextTokens = 4096, parallel = 8, threads = availableParallelism() } = load;
  return [ours, createPeer({ module: options.peerModule, modelPath, contextTokens, parallel, threads })];
}
