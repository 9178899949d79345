/** What the commands use of the rows below. Each is loaded when a command asks for it; tests hand in their own. */
import type {
  BenchOptions,
  BenchReport,
  ProfileOptions,
  ProfileReport,
  ServeBenchOptions,
  ServeReport,
  TaskBenchOptions,
  TaskReport,
} from "../bench/index.ts";
import type { ClientOptions } from "../client/http.ts";
import type { CalibrateOptions } from "../compress/calibrate/calibrate.ts";
import type { CalibrateReport } from "../compress/calibrate/contract.ts";
import type { Card } from "../compress/card/card.ts";
import type { ClassifierOptions, ClassifierReport } from "../compress/distill/classify/contract.ts";
import type { DistillOptions, DistillReport } from "../compress/distill/contract.ts";
import type { Evaluation } from "../compress/evaluate/contract.ts";
import type { EvaluateOptions } from "../compress/evaluate/evaluate.ts";
import type { Collected, CollectOptions } from "../compress/imatrix/collect.ts";
import type { ImportanceFile } from "../compress/imatrix/contract.ts";
import type { OnnxCard } from "../compress/onnx/card.ts";
import type { OnnxCardOptions } from "../compress/onnx/evaluate.ts";
import type { OnnxQuantizeOptions, OnnxQuantizeReport } from "../compress/onnx/quantize.ts";
import type { PruneOptions, PruneReport } from "../compress/prune/contract.ts";
import type { QuantizeOptions, QuantizeReport } from "../compress/quantize/quantize.ts";
import type { Client } from "../client/types.ts";
import type { Settings } from "../config/settings.ts";
import type { PeakRates } from "../engines/flint/roofline/protocol.ts";
import type { ModelWork } from "../engines/flint/roofline/work.ts";
import type { Hardware } from "../hardware/contract.ts";
import type { RunningServer, ServeOptions } from "../server/index.ts";
import type { Hearth } from "../tasks/contract.ts";
import type { Recording } from "../terminal/record.ts";

/** Threads and folders come from the settings. */
export type Studying<Options> = Omit<Options, "threads" | "folder"> & {
  readonly settings: Pick<Settings, "threads" | "data">;
};

/** The same for what runs in ONNX Runtime, whose pack may have to be installed. */
export type InOnnxRuntime<Options> = Omit<Options, "threads" | "module"> & {
  readonly settings: Pick<Settings, "threads" | "data" | "offline">;
  readonly onNotice: (text: string) => void;
};

export interface HearthOptions {
  readonly settings: Settings;
  readonly onNotice: (text: string) => void;
}

export type ServerClient = Pick<Client, "health" | "loaded" | "stats" | "stop" | "sleep">;

export interface PackRow {
  readonly name: string;
  readonly text: string;
  readonly version: string;
  /** Version in the data folder; undefined: not there. */
  readonly installed: string | undefined;
  readonly state: string;
  readonly downloadBytes: number | undefined;
}

export interface PackWork {
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
}

export interface Packs {
  list(): Promise<readonly PackRow[]>;
  /** Module of node-llama-cpp as a URL, installed or of the repository; undefined: there is none. */
  peerModule(): Promise<string | undefined>;
  add(name: string, work: PackWork): Promise<PackRow>;
  update(name: string, work: PackWork): Promise<PackRow>;
  /** Whether it was there. */
  remove(name: string): Promise<boolean>;
}

/** What this machine reads and computes at most. */
export interface Roofline {
  readonly threads: number;
  /** Load average over one minute before it was measured. */
  readonly machineLoad: number;
  /** Bytes per second; undefined where they could not be measured. */
  readonly read: { readonly oneThread: number | undefined; readonly allThreads: number | undefined };
  /** Operations per second. */
  readonly peak: PeakRates | undefined;
}

export interface Services {
  createHearth(options: HearthOptions): Promise<Hearth>;
  serve(options: ServeOptions): Promise<Pick<RunningServer, "url" | "shutdown" | "closed">>;
  connect(options: ClientOptions): Promise<ServerClient>;
  packs(settings: Settings): Promise<Packs>;
  probeHardware(): Promise<Hardware>;
  diskFreeBytes(folder: string): Promise<number | undefined>;
  /** Bytes that this machine reads from memory in a second; undefined where it was not measured. */
  readBandwidth(signal: AbortSignal): Promise<number | undefined>;
  /** `threads`: default one for each physical core. */
  roofline(options: { readonly threads: number | undefined; readonly signal: AbortSignal }): Promise<Roofline>;
  modelWork(path: string, name: string): Promise<ModelWork>;
  runBench(options: BenchOptions): Promise<BenchReport>;
  formatReport(report: BenchReport): Promise<string>;
  runProfile(options: ProfileOptions): Promise<ProfileReport>;
  formatProfile(report: ProfileReport): Promise<string>;
  runServeBench(options: ServeBenchOptions): Promise<ServeReport>;
  formatServeReport(report: ServeReport): Promise<string>;
  /** URL of ONNX Runtime's module; its pack is installed when it is missing. */
  rawModule(call: RuntimeCall): Promise<string>;
  runTaskBench(options: TaskBenchOptions): Promise<TaskReport>;
  formatTaskReport(report: TaskReport): Promise<string>;
  quantize(options: QuantizeOptions): Promise<QuantizeReport>;
  calibrate(options: Studying<CalibrateOptions>): Promise<CalibrateReport>;
  quantizeOnnx(options: InOnnxRuntime<OnnxQuantizeOptions>): Promise<OnnxQuantizeReport>;
  /** Compares a model with the one that it was made from. */
  onnxCard(options: InOnnxRuntime<OnnxCardOptions>): Promise<OnnxCard>;
  writeOnnxCard(model: string, card: OnnxCard): Promise<readonly string[]>;
  prune(options: PruneOptions): Promise<PruneReport>;
  distill(options: Studying<DistillOptions>): Promise<DistillReport>;
  distillClassifier(options: Studying<ClassifierOptions>): Promise<ClassifierReport>;
  collectImportance(path: string, options: Studying<CollectOptions>): Promise<Collected>;
  writeImportance(path: string, file: ImportanceFile, signal: AbortSignal): Promise<void>;
  evaluate(options: Studying<EvaluateOptions>): Promise<Evaluation>;
  /** Writes a card and its page beside the model; gives their paths. */
  writeCard(model: string, card: Card): Promise<readonly string[]>;
  /** Plays a WAV file; resolves to whether there was something that plays it. */
  play(path: string, signal: AbortSignal): Promise<boolean>;
  /** What the microphone hears, 16 bits and one channel; undefined where nothing records. `rate`: samples a second. */
  record(rate: number, signal: AbortSignal): Promise<Recording | undefined>;
  /** Waits; rejects when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  readonly fetch: typeof fetch;
}

export const defaultServices: Services = {
  async createHearth(options) {
    return (await import("../tasks/hearth.ts")).createHearth(options);
  },
  async serve(options) {
    return await (await import("../server/index.ts")).serve(options);
  },
  async connect(options) {
    return (await import("../client/index.ts")).createClient(options);
  },
  async packs(settings) {
    return (await import("./packs.ts")).openPacks(settings);
  },
  async probeHardware() {
    return await (await import("../hardware/probe.ts")).probeHardware();
  },
  async diskFreeBytes(folder) {
    return await (await import("../hardware/disk.ts")).diskFreeBytes(folder);
  },
  async readBandwidth(signal) {
    const { measureReadBandwidth } = await import("../hardware/bandwidth.ts");
    return (await measureReadBandwidth({ threads: await coreCount(), signal }))?.bytesPerSecond;
  },
  async roofline({ threads, signal }) {
    return await (await import("./doctor/measure.ts")).measureRoofline(threads ?? (await coreCount()), signal);
  },
  async modelWork(path, name) {
    return await (await import("../engines/flint/roofline/work.ts")).modelWork(path, name);
  },
  async runBench(options) {
    return await (await import("../bench/index.ts")).runBench(options);
  },
  async formatReport(report) {
    return (await import("../bench/index.ts")).formatReport(report);
  },
  async runProfile(options) {
    return await (await import("../bench/index.ts")).runProfile(options);
  },
  async formatProfile(report) {
    return (await import("../bench/index.ts")).formatProfile(report);
  },
  async runServeBench(options) {
    return await (await import("../bench/index.ts")).runServeBench(options);
  },
  async formatServeReport(report) {
    return (await import("../bench/index.ts")).formatServeReport(report);
  },
  rawModule: async (call) => await onnxModule(call),
  async runTaskBench(options) {
    return await (await import("../bench/index.ts")).runTaskBench(options);
  },
  async formatTaskReport(report) {
    return (await import("../bench/index.ts")).formatTaskReport(report);
  },
  async quantize(options) {
    return await (await import("../compress/quantize/quantize.ts")).quantizeModel(options);
  },
  async calibrate({ settings, ...options }) {
    const { calibrateModel } = await import("../compress/calibrate/calibrate.ts");
    return await calibrateModel({ ...options, threads: settings.threads ?? (await coreCount()) });
  },
  async quantizeOnnx({ settings, onNotice, ...options }) {
    const { quantizeOnnx } = await import("../compress/onnx/quantize.ts");
    const { signal } = options;
    // Only a calibration runs the model.
    const module = options.calibration === undefined ? undefined : await onnxModule({ settings, onNotice, signal });
    return await quantizeOnnx({ ...options, module, threads: settings.threads ?? (await coreCount()) });
  },
  async onnxCard({ settings, onNotice, ...options }) {
    const { createOnnxCard } = await import("../compress/onnx/evaluate.ts");
    const module = await onnxModule({ settings, onNotice, signal: options.signal });
    return await createOnnxCard({ ...options, module, threads: settings.threads ?? (await coreCount()) });
  },
  async writeOnnxCard(model, card) {
    return await (await import("../compress/onnx/card.ts")).writeOnnxCard(model, card);
  },
  async prune(options) {
    return await (await import("../compress/prune/prune.ts")).pruneModel(options);
  },
  async distill({ settings, ...options }) {
    const { distillModel } = await import("../compress/distill/distill.ts");
    const { cacheFolder } = await import("../config/paths.ts");
    const threads = settings.threads ?? (await coreCount());
    return await distillModel({ ...options, threads, folder: cacheFolder(settings.data) });
  },
  async distillClassifier({ settings, ...options }) {
    const { distillClassifier } = await import("../compress/distill/classify/classify.ts");
    return await distillClassifier({ ...options, threads: settings.threads ?? (await coreCount()) });
  },
  async collectImportance(path, { settings, ...options }) {
    const { collectIsolated } = await import("../compress/isolate.ts");
    return await collectIsolated(path, { ...options, threads: settings.threads ?? (await coreCount()) });
  },
  async writeImportance(path, file, signal) {
    await (await import("../compress/imatrix/write.ts")).writeImportance({ path }, file, signal);
  },
  async evaluate({ settings, ...options }) {
    const { evaluateIsolated } = await import("../compress/isolate.ts");
    const { cacheFolder } = await import("../config/paths.ts");
    const threads = settings.threads ?? (await coreCount());
    return await evaluateIsolated({ ...options, threads, folder: cacheFolder(settings.data) });
  },
  async writeCard(model, card) {
    return await (await import("../compress/card/write.ts")).writeCard(model, card);
  },
  async play(path, signal) {
    return await (await import("../terminal/play.ts")).playFile(path, signal);
  },
  async record(rate, signal) {
    const { record, recorders } = await import("../terminal/record.ts");
    return await record(recorders(process.platform, rate), signal);
  },
  async sleep(ms, signal) {
    await (await import("../util/abort.ts")).sleep(ms, signal);
  },
  fetch: (...request) => fetch(...request),
};

/** Physical cores that may be used: more threads than that read and compute no more. */
async function coreCount(): Promise<number> {
  const { machine } = await import("../hardware/read.ts");
  const { physicalCores, usableThreads } = await (await import("../hardware/cpu.ts")).probeCpu(machine);
  return Math.min(physicalCores ?? usableThreads, usableThreads);
}

interface RuntimeCall {
  readonly settings: Pick<Settings, "data" | "offline">;
  readonly onNotice: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** ONNX Runtime, which is installed when it is missing. */
async function onnxModule({ settings, onNotice, signal }: RuntimeCall): Promise<string> {
  const { needPack } = await import("../engines/libraries.ts");
  const { onnxLibrary } = await import("../engines/onnx/setup.ts");
  const { dataFolder } = await import("../config/paths.ts");
  const { data = dataFolder(), offline } = settings;
  return onnxLibrary(await needPack("onnx", { dataFolder: data, offline, onNotice, signal })).runtime;
}
