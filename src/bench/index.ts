/** `hearth bench`: ours and a peer in turn, in one run, with the same prompts. */
import { availableParallelism, loadavg } from "node:os";
import { HearthError } from "../error.ts";
import type { LoadOptions } from "../spec/engine.ts";
import type { Hearth } from "../tasks/contract.ts";
import { measureRound, type Contestant, type Figures } from "./measure.ts";
import { createOurs, uncached } from "./ours.ts";
import { createPeer } from "./peer.ts";
import { compare, summarize, type BenchReport } from "./report.ts";
import { createWorkload } from "./workload.ts";

export { formatProfile, runProfile, type ProfileOptions, type ProfileReport } from "./profile.ts";
export { formatReport, type BenchReport } from "./report.ts";
export { runServeBench } from "./serve/index.ts";
export type { ServeBenchOptions } from "./serve/options.ts";
export { formatServeReport, type ServeReport } from "./serve/report.ts";
export { formatTaskReport, runTaskBench, type TaskBenchOptions, type TaskReport } from "./task/index.ts";

export interface BenchOptions {
  readonly hearth: Hearth;
  readonly model: string;
  readonly vs?: "llama.cpp";
  /** Module of node-llama-cpp as a URL; needed with `vs`. */
  readonly peerModule?: string;
  readonly runs?: number;
  readonly promptTokens?: number;
  readonly decodeTokens?: number;
  /** Prompts a round for prefill and decode. Default 3. */
  readonly prompts?: number;
  readonly clients?: readonly number[];
  readonly load?: LoadOptions;
  readonly signal?: AbortSignal;
  readonly onProgress?: (line: string) => void;
}

export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { hearth, model, runs = 3, promptTokens = 512, decodeTokens = 128, prompts = 3 } = options;
  const { clients = [1, 4, 8, 16] } = options;
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
  // Left to itself, the peer may start more threads than there are cores, and then takes seconds for a token.
  const load = { ...uncached, ...plan.load, threads: plan.load.threads ?? availableParallelism() };
  const ours = createOurs(hearth, installed.name, load);
  const contestants = [ours, ...createPeers(options, load, installed.files[0]?.path ?? "")];
  const results = new Map<string, Figures[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < runs; round++) {
    options.signal?.throwIfAborted();
    options.onProgress?.(`round ${round + 1} of ${runs}`);
    const workload = createWorkload({
      vocabularySize: plan.info.vocabularySize,
      promptTokens,
      decodeTokens,
      prompts,
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
  const rounds = results.get(ours.name) ?? [];
  const peer = options.vs ? results.get(options.vs) : undefined;
  return {
    model: installed.name,
    engine: ours.engine ?? plan.choice.engine,
    device: plan.choice.device,
    rounds: runs,
    promptTokens,
    decodeTokens,
    parallel,
    contextTokens,
    threads: load.threads,
    fileBytes: plan.info.weightBytes,
    prompts,
    machineLoad: { before, after: loadavg()[0] ?? 0 },
    ours: summarize(rounds),
    ...(peer && { peer: { name: options.vs ?? "", ...summarize(peer) }, ratio: compare(rounds, peer) }),
  };
}

function createPeers({ vs, peerModule }: BenchOptions, load: PeerLoad, modelPath: string): Contestant[] {
  if (!vs) return [];
  if (!peerModule) {
    throw new HearthError("engine_missing", "The peer node-llama-cpp is not installed.", {
      hint: "Install it with `hearth engines add llama`.",
    });
  }
  const { contextTokens, parallel, threads } = load;
  return [createPeer({ module: peerModule, modelPath, contextTokens, parallel, threads })];
}

type PeerLoad = Required<Pick<LoadOptions, "contextTokens" | "parallel" | "threads">>;
