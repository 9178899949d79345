/** A student in memory, with threads that train it. */
import { checkModel } from "../../engines/flint/check.ts";
import { HearthError } from "../../error.ts";
import type { GgufFile } from "../../formats/gguf/types.ts";
import type { MemoryState } from "../../hardware/contract.ts";
import { systemMemory } from "../../hardware/memory.ts";
import { formatBytes } from "../../util/format.ts";
import { openData } from "../source.ts";
import type { SourcePath } from "../source.ts";
import type { Crew } from "../train/crew.ts";
import { startCrew } from "../train/crew.ts";
import { createTrainMemory } from "../train/machine.ts";
import { planParameters, writeInitial } from "../train/parameters.ts";
import type { TrainSetup } from "../train/setup.ts";
import { planTraining } from "../train/setup.ts";
import { recordTape } from "../train/tape.ts";
import { countOf, findTensor, frozenSizes, readTensor } from "../train/weights.ts";

export interface StudentOptions {
  readonly rows: number;
  readonly lanes: number;
  readonly rank: number;
}

/** What the adapters add counts twice: so their rate may be that of the norms. */
const factor = 2;

/** Throws for a model that cannot be trained here, or not in the memory there is. Reads nothing. */
export function planStudent(file: GgufFile, { rows, lanes, rank }: StudentOptions): TrainSetup {
  const { architecture, hyperparameters } = checkModel(file, rows);
  const tape = recordTape(architecture, hyperparameters, { name: file.name, rows });
  const parameters = planParameters(tape, { rank, factor });
  return planTraining({ tape, parameters, sizes: frozenSizes(tape, file), rows, lanes, name: file.name });
}

/** Throws `out_of_memory` where the system does not have what a training takes. */
export function checkMemory(
  name: string,
  { bytes }: TrainSetup,
  { availableBytes }: MemoryState = systemMemory(),
): void {
  if (bytes <= availableBytes) return;
  throw new HearthError(
    "out_of_memory",
    `Training ${name} needs ${formatBytes(bytes)}; ${formatBytes(availableBytes)} are free.`,
    {
      hint: "Stop other programs, or take fewer --threads or a smaller --window.",
      details: { neededBytes: bytes, availableBytes },
    },
  );
}

export interface Student {
  readonly crew: Crew;
  /** All parameters, as they are. */
  readonly values: Float32Array;
}

export interface StudentSource {
  readonly file: GgufFile;
  readonly source: SourcePath;
  readonly setup: TrainSetup;
  readonly module: WebAssembly.Module;
  readonly seed: number;
  readonly onPart: (part: number) => void;
}

export async function openStudent({ file, source, setup, module, seed, onPart }: StudentSource): Promise<Student> {
  const memory = createTrainMemory(setup.bytes);
  const data = await openData(source);
  try {
    let done = 0;
    for (const [name, address] of setup.weights) {
      const tensor = findTensor(file, name);
      readTensor(tensor, data, new Float32Array(memory.buffer, address, countOf(tensor)));
      onPart(++done / setup.weights.size);
    }
    const { parameterPlace, parameters } = setup;
    const values = new Float32Array(memory.buffer, parameterPlace, parameters.floats);
    writeInitial(values, parameters, {
      seed,
      norm(name) {
        const tensor = findTensor(file, name);
        const weights = new Float32Array(countOf(tensor));
        readTensor(tensor, data, weights);
        return weights;
      },
    });
    return { crew: startCrew({ module, memory, setup }), values };
  } finally {
    data.close();
  }
}
