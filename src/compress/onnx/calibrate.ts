/** Runs a model on samples, to see how large its activations get. */
import { randomBytes } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { HearthError } from "../../error.ts";
import type { ReadData } from "../../formats/onnx/data.ts";
import { encodeOnnx, writePieces } from "../../formats/onnx/encode.ts";
import type { OnnxModel } from "../../formats/onnx/types.ts";
import { runOnnx } from "../isolate.ts";
import type { OnnxResults } from "./contract.ts";
import { inputPorts } from "./ports.ts";
import type { OnnxQuantizeOptions } from "./quantize.ts";
import type { StaticPlan } from "./static-plan.ts";

const mostSamples = 128;

interface Calibrating {
  readonly model: OnnxModel;
  readonly plan: StaticPlan;
  readonly read: ReadData;
}

/** Throws `bad_request` where samples do not fit, and what the runtime throws. */
export async function calibrate(
  { model, plan, read }: Calibrating,
  options: OnnxQuantizeOptions & { readonly calibration: string },
): Promise<OnnxResults["ranges"]> {
  const { out, calibration, samples = mostSamples, module, threads = 1, signal, onProgress } = options;
  if (module === undefined) {
    throw new HearthError("engine_missing", "Calibration runs the model in ONNX Runtime, which is not installed.", {
      hint: "Install it with `hearth engines add onnx`.",
    });
  }
  const path = resolve(out);
  // A later run removes it, should this one be killed.
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(3).toString("hex")}.partial`);
  const values = [...plan.values];
  const isInput = new Set(model.graph.inputs.map(({ name }) => name));
  const known = new Set(model.graph.outputs.map(({ name }) => name));
  const outputs = values.filter((name) => !isInput.has(name) && !known.has(name)).map((name) => ({ name }));
  const shown = { ...model, graph: { ...model.graph, outputs: [...model.graph.outputs, ...outputs] } };
  try {
    await write(temporary, encodeOnnx(shown, read).pieces);
    const inputs = inputPorts(model.graph);
    return await runOnnx(
      {
        task: "ranges",
        path: temporary,
        values,
        module,
        threads,
        inputs,
        samples: { kind: "path", path: calibration, most: samples },
      },
      { signal, onProgress },
    );
  } finally {
    await rm(temporary, { force: true });
  }
}

async function write(path: string, pieces: Parameters<typeof writePieces>[0]): Promise<void> {
  const handle = await open(path, "wx");
  try {
    await writePieces(pieces, async (bytes) => await handle.writeFile(bytes));
  } finally {
    await handle.close();
  }
}
