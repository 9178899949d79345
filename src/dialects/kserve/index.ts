/**
 * KServe's inference protocol, version 2, for models of plain tensors. Triton, OpenVINO's server and MLServer speak it too.
 * https://github.com/kserve/open-inference-protocol
 */
import { z } from "zod";
import { HearthError } from "../../error.ts";
import { datatypeOf, tensorFromJson, tensorToJson } from "../../formats/tensor-json.ts";
import type { TensorInfo } from "../../spec/media.ts";
import type { Hearth } from "../../tasks/contract.ts";
import type { Dialect, Reply, Route, RouteRequest } from "../route.ts";
import { badField, parseBody } from "../shared/body.ts";

const tensor = z.object({
  name: z.string().min(1).max(512),
  shape: z.array(z.number()).max(32),
  datatype: z.string().max(16),
  data: z.array(z.unknown(), { error: "must be an array; binary data is not taken" }),
});

const inferBody = z.object({
  /** Where the path does not say it. */
  model: z.string().min(1).max(512).optional(),
  id: z.string().max(512).optional(),
  inputs: z.array(tensor).min(1).max(256),
  outputs: z
    .array(z.object({ name: z.string().max(512) }))
    .max(256)
    .optional(),
  parameters: z.object({ signature: z.string().max(512).optional() }).optional(),
});

async function infer(request: RouteRequest, hearth: Hearth): Promise<Reply> {
  const { model: named, id, inputs, outputs: wanted, parameters } = parseBody(inferBody, request.body);
  const { tenant, priority, signal, params } = request;
  const asked = params["model"] ?? named;
  if (asked === undefined) throw badField("model", "is missing");
  const names = inputs.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw badField("inputs", `has two tensors named "${twice}"`);
  const { model, output } = await hearth.perform({
    task: "infer",
    model: asked,
    input: {
      inputs: Object.fromEntries(inputs.map((input) => [input.name, tensorFromJson(input)])),
      // A client that names none wants them all, as the protocol says of a list that is absent.
      ...(wanted && wanted.length > 0 && { outputs: wanted.map(({ name }) => name) }),
      ...(parameters?.signature !== undefined && { signature: parameters.signature }),
    },
    tenant,
    signal,
    ...(priority && { priority }),
  });
  return {
    kind: "json",
    body: {
      model_name: model,
      ...(id !== undefined && { id }),
      outputs: Object.entries(output.outputs).map(([name, value]) => tensorToJson(name, value)),
    },
  };
}

async function describe({ params }: RouteRequest, hearth: Hearth): Promise<Reply> {
  const model = await hearth.library.resolve(params["model"] ?? "");
  const { signature } = await hearth.library.inspect(model);
  if (!signature) {
    throw new HearthError("unsupported_capability", `Model "${model.name}" is no model of plain tensors.`, {
      hint: "Language models answer at /v1/chat/completions.",
    });
  }
  const { inputs, outputs } = signature;
  const body = {
    name: model.name,
    platform: model.format,
    inputs: inputs.map(toMetadata),
    outputs: outputs.map(toMetadata),
  };
  return { kind: "json", body };
}

/** A dimension that is free is -1, whatever the model calls it. */
function toMetadata({ name, type, shape }: TensorInfo): object {
  return { name, datatype: datatypeOf(type), shape: shape.map((size) => (typeof size === "number" ? size : -1)) };
}

async function ready({ params }: RouteRequest, hearth: Hearth): Promise<Reply> {
  const { name } = await hearth.library.resolve(params["model"] ?? "");
  return { kind: "json", body: { name, ready: true } };
}

const server = { name: "hearth", extensions: [] } as const;

const routes: readonly Route[] = [
  { method: "GET", path: "/v2", access: "models:read", handle: async () => ({ kind: "json", body: server }) },
  {
    method: "GET",
    path: "/v2/health/live",
    access: "models:read",
    handle: async () => ({ kind: "json", body: { live: true } }),
  },
  {
    method: "GET",
    path: "/v2/health/ready",
    access: "models:read",
    handle: async () => ({ kind: "json", body: { ready: true } }),
  },
  { method: "GET", path: "/v2/models/:model", access: "models:read", handle: describe },
  { method: "GET", path: "/v2/models/:model/ready", access: "models:read", handle: ready },
  { method: "POST", path: "/v2/models/:model/infer", access: "infer", handle: infer },
  { method: "POST", path: "/v1/infer", access: "infer", handle: infer },
];

export const kserve: Dialect = {
  name: "kserve",
  routes,
  errorBody: toErrorBody,
  errorFrame: toErrorBody,
};

/** Errors of ours carry the id, and no text that could hold a path. */
function toErrorBody(error: HearthError, id: string): { readonly error: string } {
  if (error.code === "internal") return { error: `Something went wrong inside hearth (${id}). ${error.hint}`.trim() };
  return { error: [error.message, error.hint].filter((text) => text !== "").join(" ") };
}
