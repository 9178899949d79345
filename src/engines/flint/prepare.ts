/** From a checked header to memory and kernels: everything that is made once, before the workers start. */
import { HearthError } from "../../error.ts";
import type { GgmlTypeName } from "../../formats/gguf/ggml.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import { schemeKey } from "../../formats/checkpoint/scheme.ts";
import type { Adapter } from "./adapters/read.ts";
import { adapterType, checkUsed } from "./adapters/read.ts";
import type { CacheTypes } from "./cache/layout.ts";
import type { CheckedModel } from "./check.ts";
import { kernelModule } from "./graph/kernels.ts";
import { blockTokens, createPlan } from "./graph/plan.ts";
import type { Plan } from "./graph/plan.ts";
import type { Recording } from "./graph/program.ts";
import { record } from "./graph/record.ts";
import type { RowsGraph } from "./graph/graph.ts";
import { writeConstants } from "./kernels/wasm/constants.ts";
import type { SimdLevel } from "./kernels/wasm/simd.ts";
import { detectLevel } from "./kernels/wasm/simd.ts";
import { mostPages } from "./kernels/wasm/module.ts";
import { Counters } from "./threads/counters.ts";
import { Control } from "./threads/control.ts";
import type { LoadSetup } from "./threads/load.ts";
import { loadPieces, packModule } from "./threads/load.ts";
import { layoutOf } from "./weights/pack.ts";

export interface PrepareOptions {
  readonly contextTokens: number;
  /** Sequences that run at once. */
  readonly parallel: number;
  /** Tokens that the cache holds, of all sequences together. Default: as many as they can have. */
  readonly cacheTokens?: number | undefined;
  /** Default: f16. */
  readonly cacheTypes?: CacheTypes;
  readonly speculation?: boolean;
  /** Default: new ones. */
  readonly counters?: Counters | undefined;
  readonly workers: number;
  /** Rows of a step. */
  readonly batchTokens: number | undefined;
  /** Rows of its results. Default: as many as can be wanted. */
  readonly outputs?: number;
  /** Most bytes of one memory. Default 4 GiB. */
  readonly bankBytes?: number;
  /** With the scale that they have where a request does not say. `prepare` makes room for their tensors, and loads none. */
  readonly adapters?: readonly (Adapter & { readonly scale: number })[];
  /** Whether to sum up what enters each matrix; see `graph/observe.ts`. */
  readonly observe?: boolean;
}

export interface Prepared {
  readonly setup: Omit<LoadSetup, "index">;
  /** Writes the module of the kernels; it is not needed before the weights are loaded. */
  readonly kernels: () => Uint8Array<ArrayBuffer>;
  /** Bytes that are really in use: memory that was reserved and never written does not count. */
  readonly usedBytes: () => number;
}

const defaultRows = 256;
const pageBytes = 65_536;
/** Results of a step take at most this much. */
const resultBytes = 64 * 1024 * 1024;

export function prepare(
  file: GgufFile,
  { architecture, hyperparameters }: CheckedModel,
  options: PrepareOptions,
): Prepared {
  const build = (graph: RowsGraph): void => architecture.build(graph, hyperparameters);
  return prepareGraph(file, { build, encoder: hyperparameters.encoder !== undefined }, options);
}

export interface ForwardPass {
  readonly build: (graph: RowsGraph) => void;
  /** Its texts, or pictures, are computed whole and forgotten. */
  readonly encoder: boolean;
  /** Its steps are whole pictures. All its layers are alike and none has a window: they can take turns in one cache. */
  readonly pictures?: boolean;
}

/** The same for any forward pass over the tensors of a file. */
export function prepareGraph(file: GgufFile, pass: ForwardPass, options: PrepareOptions): Prepared {
  const level = requireLevel(file.name);
  return allocateAll(file, { plan: planGraph(file, pass, options), level }, options);
}

/** What `prepareGraph` would make room for; nothing is allocated. */
export function planGraph(file: GgufFile, pass: ForwardPass, options: PrepareOptions): Plan {
  const { contextTokens, parallel, workers, batchTokens, adapters = [] } = options;
  const { cacheTokens = parallel * contextTokens } = options;
  const types = new Map(file.tensors.map(({ name, typeName }) => [name, typeName]));
  for (const { tensors } of adapters) for (const [name, tensor] of tensors) types.set(name, adapterType(tensor));
  const typeOf = (name: string): GgmlTypeName => types.get(name) ?? "F32";
  const precise = file.metadata.has(schemeKey);
  const recording = recordPass(pass, { typeOf, adapters, precise, observe: options.observe });
  // Each of their texts is one step.
  const encoder = recording.result.kind === "hidden" || pass.encoder;
  const rows = encoder ? contextTokens : Math.min(batchTokens ?? defaultRows, contextTokens);
  const width = recording.values[recording.result.value]?.width ?? 1;
  const most = encoder ? rows : Math.min(rows, Math.max(parallel, Math.floor(resultBytes / (width * 4))));
  // One more than run at once: for texts that are computed and forgotten.
  const sequences = encoder ? 1 : parallel + 1;
  return createPlan({
    recording,
    typeOf,
    rows,
    outputs: options.outputs ?? most,
    sequences,
    contextTokens,
    // A text that is computed and forgotten may need a context of its own.
    cacheBlocks: Math.ceil(contextTokens / blockTokens) + (encoder ? 0 : Math.ceil(cacheTokens / blockTokens)),
    sharedCache: pass.pictures,
    wide: pass.pictures,
    cacheTypes: (encoder ? undefined : options.cacheTypes) ?? { keyType: "f16", valueType: "f16" },
    workers,
    adapters: adapters.map(({ scale }) => scale),
    bankBytes: options.bankBytes ?? mostPages * pageBytes,
  });
}

function allocateAll(
  file: GgufFile,
  { plan, level }: { readonly plan: Plan; readonly level: SimdLevel },
  options: PrepareOptions,
): Prepared {
  const { workers } = options;
  const memories = plan.bankBytes.map((bytes) => allocate(bytes, file.name));
  memories.forEach(writeConstants);
  const dataOffset = file.dataOffset;
  const offsets = Object.fromEntries(file.tensors.map(({ name, offset }) => [name, dataOffset + offset]));
  const { counters = new Counters(new SharedArrayBuffer(Counters.bytes)) } = options;
  const setup = {
    plan,
    memories,
    control: new SharedArrayBuffer(Control.bytes(plan.stages.length)),
    stages: plan.stages.length,
    loading: new SharedArrayBuffer(16),
    counters: counters.buffer,
    speculation: options.speculation ?? false,
    pieces: loadPieces({ ...plan, matrices: ownMatrices(plan, offsets) }, offsets),
    packing: new WebAssembly.Module(packModule(plan)),
    workers,
  };
  return {
    setup,
    kernels: () => kernelModule(plan, level),
    usedBytes: () => plan.weightBytes + plan.activationBytes + counters.get("cacheBytes"),
  };
}

interface RecordContext {
  readonly typeOf: (name: string) => GgmlTypeName;
  readonly observe: boolean | undefined;
  /** Codes that a scheme chose are worth activations of more than 8 bits. */
  readonly precise: boolean;
  readonly adapters: readonly Adapter[];
}

function recordPass({ build }: ForwardPass, { typeOf, adapters, observe, precise }: RecordContext): Recording {
  const used = new Set<string>();
  const recording = record(build, {
    layoutOf: ({ name }) => layoutOf(typeOf(name)),
    precise: () => precise,
    observe,
    adaptersOf(name) {
      used.add(name);
      return adapters.flatMap(({ matrices }) => matrices.get(name) ?? []);
    },
  });
  for (const adapter of adapters) checkUsed(adapter, used);
  return recording;
}

/** Those of the model's file; adapters have files of their own. */
function ownMatrices({ matrices }: Plan, offsets: Readonly<Record<string, number>>): Plan["matrices"] {
  return Object.fromEntries(Object.entries(matrices).filter(([name]) => name in offsets));
}

function requireLevel(name: string): SimdLevel {
  const level = detectLevel();
  if (level) return level;
  throw new HearthError("model_unsupported", `This platform has no SIMD in WebAssembly; flint cannot run ${name}.`, {
    hint: "Use the llama engine (--engine llama).",
  });
}

function allocate(bytes: number, name: string): WebAssembly.Memory {
  const pages = Math.ceil(bytes / pageBytes);
  if (pages > mostPages) {
    const gibibytes = (bytes / 2 ** 30).toFixed(1);
    throw new HearthError(
      "out_of_memory",
      `A layer of ${name} and its cache need ${gibibytes} GiB; one memory of flint holds 4 GiB.`,
      {
        details: { limitBytes: 2 ** 32 },
        hint: "Use a shorter context (--context), fewer sequences (--parallel), or the llama engine.",
      },
    );
  }
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: mostPages, shared: true });
  } catch (error) {
    throw new HearthError("out_of_memory", `${name} needs ${bytes} bytes, which the system did not give.`, {
      cause: error,
    });
  }
}
