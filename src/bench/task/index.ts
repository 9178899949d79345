/** `hearth bench` of models that are no language models: how long one call of their task takes, and how many in a second. */
import { availableParallelism, loadavg } from "node:os";
import { HearthError } from "../../error.ts";
import type { InstalledModel, ModelInfo } from "../../spec/model.ts";
import type { Hearth } from "../../tasks/contract.ts";
import { createRandom } from "../workload.ts";
import { makeTexts } from "./inputs.ts";
import { measureTaskRound, type TaskContestant, type TaskFigures } from "./measure.ts";
import { createOurTasks } from "./ours.ts";
import { createRaw } from "./raw.ts";
import { compareTasks, summarizeTasks, type TaskReport } from "./report.ts";
import { tokenRows } from "./rows.ts";
import { makeTensors, type Tensors, textTensors } from "./tensors.ts";
import { chooseWork, inferWork, outputsOf, textCount, type Work } from "./work.ts";

export { formatTaskReport, type TaskReport } from "./report.ts";

export interface TaskBenchOptions {
  readonly hearth: Hearth;
  readonly model: string;
  readonly vs?: "raw";
  /** Module of onnxruntime-node as a URL; needed with `vs`. */
  readonly rawModule?: string;
  readonly runs?: number;
  /** Of each text that is embedded, about. Default 42. */
  readonly textTokens?: number;
  /** Default 1 and 8. */
  readonly clients?: readonly number[];
  /** How long each figure is measured in each round, ms. Default 1,000. */
  readonly figureMs?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (line: string) => void;
}

const seed = 1;

export async function runTaskBench(options: TaskBenchOptions): Promise<TaskReport> {
  const { hearth, runs = 3, clients = [1, 8], figureMs = 1000, signal } = options;
  const installed = await hearth.library.resolve(options.model);
  const plan = await hearth.runtime.plan(installed.name);
  const threads = plan.load.threads ?? availableParallelism();
  const before = loadavg()[0] ?? 0;
  const material = createMaterial({
    hearth,
    installed,
    info: plan.info,
    raw: options.vs !== undefined,
    textTokens: options.textTokens,
  });
  const tasks = Object.keys(material.perCall);
  const ours = createOurTasks({ hearth, model: installed.name, tasks, work: material.work, signal, ms: figureMs });
  const raw = createPeer(options, { installed, info: plan.info, threads, material, ms: figureMs });
  const contestants: TaskContestant[] = raw ? [ours, raw] : [ours];
  const results = new Map<string, TaskFigures[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round < runs; round++) {
    signal?.throwIfAborted();
    options.onProgress?.(`round ${round + 1} of ${runs}`);
    const turn = round % 2 === 0 ? contestants : contestants.toReversed();
    const figures = await measureTaskRound(turn, { perCall: material.perCall, clients });
    turn.forEach(({ name }, index) => results.get(name)?.push(figures[index] ?? {}));
  }
  const rounds = results.get(ours.name) ?? [];
  const peer = raw && results.get(raw.name);
  return {
    model: installed.name,
    engine: ours.ran?.engine ?? plan.choice.engine,
    device: ours.ran?.device ?? plan.choice.device,
    rounds: runs,
    threads,
    fileBytes: plan.info.weightBytes,
    seconds: figureMs / 1000,
    items: material.items,
    machineLoad: { before, after: loadavg()[0] ?? 0 },
    ours: summarizeTasks(rounds),
    ...(peer && {
      peer: { name: raw.name, figures: summarizeTasks(peer) },
      ratio: compareTasks(rounds, peer),
    }),
  };
}

interface Material {
  readonly perCall: Readonly<Record<string, number>>;
  readonly items: Readonly<Record<string, string>>;
  readonly work: (task: string) => Promise<Work>;
  /** What the raw engine runs for a task. */
  readonly inputs: () => Promise<readonly Tensors[]>;
}

interface MaterialOptions {
  readonly hearth: Hearth;
  readonly installed: InstalledModel;
  readonly info: ModelInfo;
  readonly raw: boolean;
  readonly textTokens: number | undefined;
}

/** What each task is given; made once, so that every round and both sides have the same. */
function createMaterial({ hearth, installed, info, raw, textTokens: tokens }: MaterialOptions): Material {
  const own = { model: installed.name, info, textTokens: tokens };
  const natural = chooseWork({ ...own, random: createRandom(seed) });
  const ports = info.signature?.inputs ?? [];
  const makeInputs = async (): Promise<readonly Tensors[]> => {
    const random = createRandom(seed);
    if (natural.task === "embed") {
      const rows = await tokenRows(hearth, installed.name, makeTexts(textCount, random, tokens));
      const tensors = rows.map((ids) => textTensors(ports, ids));
      if (tensors.every((one) => one !== undefined)) return tensors;
    }
    return [makeTensors(ports, random)];
  };
  let inputs: Promise<readonly Tensors[]> | undefined;
  const inputsOnce = async (): Promise<readonly Tensors[]> => await (inputs ??= makeInputs());
  const tensorsToo = raw && natural.task !== "infer";
  return {
    perCall: { [natural.task]: natural.perCall, ...(tensorsToo && { infer: 1 }) },
    items: { [natural.task]: natural.items, ...(tensorsToo && { infer: "runs" }) },
    work: async (task) =>
      task === "infer" ? inferWork({ ...own, random: createRandom(seed) }, await inputsOnce()) : natural,
    inputs: inputsOnce,
  };
}

interface PeerOptions {
  readonly installed: InstalledModel;
  readonly info: ModelInfo;
  readonly threads: number;
  readonly material: Material;
  readonly ms: number;
}

/** Throws `unsupported_option` for what ONNX Runtime alone does not run. */
function createPeer({ vs, rawModule }: TaskBenchOptions, options: PeerOptions): TaskContestant | undefined {
  if (vs === undefined) return undefined;
  const { installed, info, threads, material, ms } = options;
  if (info.format !== "onnx" || !info.capabilities.includes("infer")) {
    const kind = info.format === "onnx" ? "for sherpa-onnx" : info.format;
    throw new HearthError("unsupported_option", `--vs raw is for ONNX models that take tensors; this one is ${kind}.`, {
      hint: "Leave --vs out.",
      details: { field: "vs" },
    });
  }
  if (rawModule === undefined) {
    throw new HearthError("engine_missing", "ONNX Runtime is not installed.", {
      hint: "Install it with `hearth engines add onnx`.",
    });
  }
  const path = installed.files.find(({ role }) => role === "weights")?.path ?? "";
  const tasks = Object.keys(material.perCall).filter((task) => task === "embed" || task === "infer");
  const outputs = outputsOf(info);
  return createRaw({ module: rawModule, path, threads, tasks, outputs, inputs: material.inputs, ms });
}
