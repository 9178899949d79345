/** Tiles through an encoder in the test's own thread: with kernels, or with the reference graph. */
import { parseGguf } from "../../../../formats/gguf/parse.ts";
import type { Picture } from "../../../media/image.ts";
import { openModel } from "../../__fixtures__/open.ts";
import { createReference } from "../../graph/reference.ts";
import { prepareGraph } from "../../prepare.ts";
import { loadShare } from "../../threads/load.ts";
import { Steps } from "../../threads/steps.ts";
import { encodeAll } from "../../threads/texts.ts";
import { Compute } from "../../threads/worker.ts";
import { checkVision } from "../check.ts";
import type { CheckedVision } from "../check.ts";
import { gridOf } from "../figures.ts";
import { setupVision } from "../setup.ts";
import type { Enter } from "../tile.ts";
import { createEntrance, inLines } from "../tile.ts";
import { buildVision } from "../transformer.ts";
import { turnedOf, turning } from "../turned.ts";
import type { VisionFixture } from "./fixtures.ts";

export interface TileEncoder extends CheckedVision {
  encode(tile: Picture): Float32Array;
}

interface Opened extends CheckedVision {
  readonly enter: Enter;
  /** Elements of a tensor in the order in which they are used. */
  readonly weights: (name: string) => Float32Array;
}

function open({ bytes, name, width }: VisionFixture): Opened {
  const { file, weights } = openModel(bytes, name);
  const checked = checkVision(file, width);
  const { model } = checked;
  const learned = model.places === "learned" && { positions: weights("v.position_embd.weight") };
  const own = model.hasClass && { classEmbedding: weights("v.class_embd") };
  return { ...checked, weights, enter: createEntrance(model, { ...learned, ...own }) };
}

export function openWithReference(fixture: VisionFixture): TileEncoder {
  const { family, model, enter, weights } = open(fixture);
  const ordered = (name: string): Float32Array => {
    const values = weights(name);
    const parts = model.turned?.find((one) => one.name === name);
    if (!parts) return values;
    const { rows, columns } = parts;
    return values.map((_, at) => {
      const within = at % (rows * columns);
      return values[at - within + (within % rows) * columns + Math.floor(within / rows)] ?? 0;
    });
  };
  const reference = createReference((graph) => buildVision(graph, model, family), { weights: ordered });
  return {
    family,
    model,
    encode(tile) {
      const { rows: count, outputs, inputs, angles, parts = Int32Array.of(count) } = enter(tile);
      const partOf = (row: number) => {
        const index = parts.findIndex((end) => end > row);
        return { start: parts[index - 1] ?? 0, reach: parts[index] ?? count };
      };
      const rows = Array.from({ length: count }, (_, row) => ({
        token: 0,
        sequence: 0,
        position: row,
        output: row < outputs,
        ...partOf(row),
        inputs: inputs.map((input) => rowOf(input, row, count)),
        ...(angles && { angles: rowOf(angles, row, count) }),
      }));
      const made = Float32Array.from(reference.step(rows).flatMap((row) => Array.from(row)));
      return inLines(made, gridOf(tile, model), model);
    },
  };
}

function rowOf(all: Float32Array, row: number, rows: number): Float32Array {
  const width = all.length / rows;
  return all.subarray(row * width, (row + 1) * width);
}

export function openWithKernels(fixture: VisionFixture): TileEncoder {
  const { family, model, enter } = open(fixture);
  const file = parseGguf(fixture.bytes, { name: fixture.name });
  const { pass, options } = setupVision({ family, model }, 1);
  const { setup: shared, kernels } = prepareGraph(file, pass, options);
  const setup = { ...shared, index: 0, module: new WebAssembly.Module(kernels()) };
  const read = (offset: number, target: Uint8Array): void =>
    target.set(fixture.bytes.subarray(offset, offset + target.length));
  loadShare(setup, turning(read, turnedOf(file, model)));
  const steps = new Steps({ setup, compute: new Compute(setup) });
  return {
    family,
    model,
    encode(tile) {
      const work = encodeAll(steps, { type: "picture", id: 1, ...enter(tile) });
      for (;;) {
        const { done, value } = work.next();
        const made = (done && value.type === "vectors" ? value.vectors[0] : undefined) ?? new Float32Array();
        if (done) return inLines(made, gridOf(tile, model), model);
      }
    },
  };
}
