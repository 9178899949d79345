import { HearthError } from "../../error.ts";
import type { ByteSource } from "../protobuf/source.ts";
import { checkModel } from "./check.ts";
import { irVersions, limits } from "./limits.ts";
import { addOpset, readFunction, readGraph } from "./parse-graph.ts";
import { readEntry } from "./parse-tensor.ts";
import { Reading } from "./reading.ts";
import type { OnnxFunction, OnnxGraph, OnnxModel } from "./types.ts";

export interface OnnxParseOptions {
  /** What messages call the file. */
  readonly name: string;
  /** Domains of operators that may be used beside those of ONNX and of ONNX Runtime: each needs a library of its own. */
  readonly allowDomains?: readonly string[];
}

/**
 * Reads a ModelProto and checks it; the elements of tensors are left in the source. Throws `model_malformed` with details
 * {field, offset} for what is damaged, and `model_unsupported` for other versions of the format and for custom operators.
 */
export function parseOnnx(source: ByteSource, options: OnnxParseOptions): OnnxModel {
  const reading = new Reading(source, options.name);
  if (source.sizeBytes > limits.fileBytes) {
    reading.fail(`has ${source.sizeBytes} bytes; an ONNX file has at most ${limits.fileBytes}`);
  }
  const model = readModel(reading, source.sizeBytes);
  checkModel(model, options);
  return model;
}

interface Draft {
  irVersion: number;
  readonly producer: { name: string; version: string };
  domain: string;
  version: bigint;
  documentation: string;
  graph: OnnxGraph | undefined;
  readonly opsets: Map<string, number>;
  readonly metadata: Map<string, string>;
  readonly functions: OnnxFunction[];
}

function readModel(reading: Reading, end: number): OnnxModel {
  const draft: Draft = {
    irVersion: 0,
    producer: { name: "", version: "" },
    domain: "",
    version: 0n,
    documentation: "",
    graph: undefined,
    opsets: new Map(),
    metadata: new Map(),
    functions: [],
  };
  while (reading.next(end)) {
    reading.part = "model";
    readField(reading, draft);
  }
  reading.part = "model";
  const { graph } = draft;
  if (!graph) return reading.fail("has no graph", 0);
  return { ...draft, graph };
}

function readField(reading: Reading, draft: Draft): void {
  switch (reading.field) {
    case 1:
      draft.irVersion = checkVersion(reading, reading.safeInteger());
      break;
    case 2:
      draft.producer.name = reading.label();
      break;
    case 3:
      draft.producer.version = reading.label();
      break;
    case 4:
      draft.domain = reading.label();
      break;
    case 5:
      draft.version = reading.int64();
      break;
    case 6:
      draft.documentation = reading.text(limits.documentationBytes);
      break;
    case 7:
      if (draft.graph) reading.fail("has two graphs");
      draft.graph = readGraph(reading, reading.enter());
      break;
    case 8:
      addOpset(reading, draft.opsets);
      break;
    case 14:
      readEntry(reading, reading.enter(), draft.metadata);
      break;
    case 20:
      throw new HearthError("model_unsupported", `${reading.name} holds how to train the model.`, {
        hint: "Export the model for inference.",
        details: { field: "training_info" },
      });
    case 25:
      draft.functions.push(readFunction(reading, reading.enter()));
      break;
  }
}

function checkVersion({ name }: Reading, version: number): number {
  const { first, last } = irVersions;
  if (version >= first && version <= last) return version;
  throw new HearthError("model_unsupported", `${name} has version ${version} of the ONNX format.`, {
    hint: `Versions ${first} to ${last} can be read: export the model again.`,
    details: { field: "ir_version" },
  });
}
