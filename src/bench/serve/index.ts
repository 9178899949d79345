/** `hearth bench serve`: a real server with many clients, and peers in turn, in one run, with the same prompts. */
import { availableParallelism, loadavg } from "node:os";
import { dataFolder } from "../../config/paths.ts";
import { HearthError } from "../../error.ts";
import { createHouse } from "./house.ts";
import { createKit, deviceOf, type Bench } from "./kit.ts";
import { hasLlamaServer } from "./llama-server.ts";
import type { ServeBenchOptions } from "./options.ts";
import { summarizeScenario, type ScenarioReport, type ServeReport } from "./report.ts";
import { scenarioNames, type Scenario } from "./scenario.ts";
import { createScenarios, defaultSizes } from "./scenarios.ts";

/** Tokens of a sequence where the settings name none. */
const usualContextTokens = 2048;

export async function runServeBench(options: ServeBenchOptions): Promise<ServeReport> {
  const { hearth, runs = 3, only = scenarioNames } = options;
  const { settings } = hearth;
  const model = await hearth.library.resolve(options.model);
  const plan = await hearth.runtime.plan(model.name, { contextTokens: settings.context ?? usualContextTokens });
  const { contextTokens } = plan.load;
  const sizes = { ...defaultSizes, ...options.sizes };
  const { mixedRequests: requests = sizes.mixed.requests } = options;
  const scenarios = createScenarios({ ...sizes, mixed: { ...sizes.mixed, requests } });
  const chosen = only.map((name) => scenarios[name]);
  for (const scenario of chosen) checkContext(scenario, contextTokens);
  const { llamaServer, skipped } = await findLlamaServer(options);
  const before = loadavg()[0] ?? 0;
  const threads = settings.threads ?? availableParallelism();
  const house = await createHouse({ model, dataFolder: settings.data ?? dataFolder() });
  const modelPath = model.files.find(({ role }) => role === "weights")?.path ?? "";
  const bench: Bench = { options, plan, modelPath, threads, contextTokens, house, llamaServer };
  const reports: ScenarioReport[] = [];
  try {
    for (const scenario of chosen)
      reports.push(summarizeScenario(scenario, await scenario.run(createKit(bench, runs))));
  } finally {
    await house.dispose();
  }
  return {
    model: model.name,
    engine: plan.choice.engine,
    device: deviceOf(bench),
    threads,
    contextTokens,
    runs,
    machineLoad: { before, after: loadavg()[0] ?? 0 },
    skipped,
    scenarios: reports,
  };
}

function checkContext({ name, neededTokens }: Scenario, contextTokens: number): void {
  if (contextTokens >= neededTokens) return;
  throw new HearthError(
    "usage",
    `The scenario ${name} needs a context of ${neededTokens} tokens; it is ${contextTokens}.`,
    {
      hint: "Raise --context if the model allows it, or name other scenarios with --only.",
    },
  );
}

type Found = Pick<Bench, "llamaServer"> & Pick<ServeReport, "skipped">;

/** Throws `engine_missing` where node-llama-cpp is missing, `usage` where a path was given and nothing runs there. */
async function findLlamaServer({ vs, peerModule, llamaServer }: ServeBenchOptions): Promise<Found> {
  if (!vs) return { llamaServer: undefined, skipped: [] };
  if (peerModule === undefined) {
    throw new HearthError("engine_missing", "The peer node-llama-cpp is not installed.", {
      hint: "Install it with `hearth engines add llama`.",
    });
  }
  const name = "llama-server";
  const command = llamaServer ?? name;
  if (await hasLlamaServer(command)) return { llamaServer: command, skipped: [] };
  if (llamaServer !== undefined) {
    throw new HearthError("usage", `--llama-server is "${llamaServer}"; that program cannot be run.`);
  }
  const reason = "there is none on the PATH; --llama-server says where it is.";
  return { llamaServer: undefined, skipped: [{ name, reason }] };
}
