import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseList, parseText } from "../config/values.ts";
import { HearthError } from "../error.ts";
import { encodeNpy } from "../formats/npy/encode.ts";
import { isNumberType, type Tensor as NumberTensor } from "../formats/tensor.ts";
import { tensorToJson } from "../formats/tensor-json.ts";
import type { Signature } from "../spec/perform.ts";
import type { Tensor } from "../spec/media.ts";
import { ensureModel } from "./chat/model.ts";
import { defineCommand, type Command } from "./command.ts";
import { formatTensor } from "./describe.ts";
import { taskSettings } from "./tasks/ready.ts";
import { readTensors } from "./tasks/tensors.ts";

export const infer: Command = defineCommand({
  name: "infer",
  text: "Runs tensors through an ONNX or TFLite model. Without inputs it says which ones the model wants.",
  arguments: [
    { name: "MODEL", text: "the model", required: true },
    { name: "NAME=FILE", text: "an input: a .npy file; or one .npz or .json file with all of them", rest: true },
  ],
  flags: {
    out: { kind: "value", value: "FOLDER", text: "write the outputs there, NAME.npy each", parse: parseText },
    outputs: {
      kind: "value",
      value: "NAMES",
      text: "the outputs that are wanted, with commas; all if absent",
      parse: parseList,
    },
    signature: {
      kind: "value",
      value: "NAME",
      text: "which of the model's signatures, where it has several",
      parse: parseText,
    },
  },
  settings: taskSettings,
  examples: [
    "hearth infer model.onnx",
    "hearth infer model.onnx x=x.npy --outputs last_hidden_state --out results",
    "hearth infer model.tflite inputs.json",
  ],
  async run(context) {
    const { args, flags, io, signal, writeJson } = context;
    const [name = "", ...files] = args;
    const model = await ensureModel(context, name);
    const hearth = await context.hearth();
    if (files.length === 0) {
      const { signature } = await hearth.library.inspect(model);
      throw new HearthError("usage", `${model.name} wants its inputs.`, { hint: wants(signature) });
    }
    const inputs = await readTensors(files, io.stdin);
    const { outputs, signature } = flags;
    const input = { inputs, ...(outputs && { outputs }), ...(signature !== undefined && { signature }) };
    const { output } = await hearth.perform({ task: "infer", model: model.name, input, signal });
    if (flags.out === undefined) {
      writeJson({ outputs: Object.entries(output.outputs).map(([key, tensor]) => tensorToJson(key, tensor)) });
      return;
    }
    await mkdir(flags.out, { recursive: true });
    for (const [key, tensor] of Object.entries(output.outputs)) {
      const path = join(flags.out, `${key.replaceAll(/[^\w.-]/g, "_")}.npy`);
      await writeFile(path, encodeNpy(withNumbers(key, tensor)));
      io.stdout.write(`${path}: ${tensor.type} [${tensor.shape.join(", ")}]\n`);
    }
  },
});

function wants(signature: Signature | undefined): string {
  if (!signature) return "It is no model of plain tensors.";
  return `Give each as NAME=FILE.npy: ${signature.inputs.map(formatTensor).join(", ")}.`;
}

function withNumbers(name: string, { type, shape, data }: Tensor): NumberTensor {
  if (!isNumberType(type) || !ArrayBuffer.isView(data)) {
    throw new HearthError("usage", `The output ${name} is text, which a .npy file does not hold here.`, {
      hint: "Leave --out away: JSON holds it.",
    });
  }
  return { type, shape, data };
}
