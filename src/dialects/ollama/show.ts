import type { InstalledModel, ModelInfo } from "../../spec/model.ts";
import type { Hearth } from "../../tasks/contract.ts";
import type { Reply, RouteRequest } from "../route.ts";
import { toCapabilities, toDetails } from "./details.ts";
import type { ModelLists } from "./lists.ts";
import { readLists, toNumber } from "./lists.ts";
import type { ShowBody } from "./model-schema.ts";
import { namedModel, parseShowBody } from "./model-schema.ts";
import { resolveModel } from "./names.ts";

/** POST /api/show */
export async function handleShow(request: RouteRequest, { library }: Hearth): Promise<Reply> {
  const body = parseShowBody(request.body);
  const model = await resolveModel(library, namedModel(body));
  const info = await library.inspect(model);
  const lists = body.verbose ? await readLists(model) : undefined;
  return { kind: "json", body: toShow({ model, info, body, ...lists }) };
}

export interface ShowParts extends Partial<ModelLists> {
  readonly model: InstalledModel;
  readonly info: ModelInfo;
  readonly body?: ShowBody;
}

/** `system`, `template` and `options` of the body stand in for those of the model, as in Ollama. */
export function toShow({ model, info, body = {}, arrays = {}, tensors }: ShowParts): object {
  const { overrides } = model;
  const system = body.system || overrides?.system;
  const template = body.template || (overrides?.template ?? info.chatTemplate ?? "");
  const parameters = { ...overrides?.parameters, ...body.options };
  return {
    ...(model.license === undefined ? {} : { license: model.license }),
    modelfile: toModelfile({ model, system, template, parameters }),
    ...(Object.keys(parameters).length > 0 ? { parameters: toParameters(parameters, 30).join("\n") } : {}),
    template,
    ...(system ? { system } : {}),
    details: toDetails(model, info),
    model_info: { ...toModelInfo(info), ...arrays },
    ...(tensors ? { tensors } : {}),
    capabilities: toCapabilities(info),
    modified_at: model.modifiedAt.toISOString(),
  };
}

/** The lists of the tokenizer are null unless they are asked for, as in Ollama. */
const tokenizerLists = ["tokens", "scores", "token_type", "merges"];

function toModelInfo({ metadata, architecture, parameterCount }: ModelInfo): Readonly<Record<string, unknown>> {
  const entries = Object.entries(metadata)
    // Ollama leaves these two out: one is a second name, the other is `template`.
    .filter(([key]) => key !== "general.name" && key !== "tokenizer.chat_template")
    .map(([key, value]) => [key, typeof value === "bigint" ? toNumber(value) : value] as const);
  const hasTokenizer = entries.some(([key]) => key.startsWith("tokenizer.ggml."));
  return {
    ...(hasTokenizer ? Object.fromEntries(tokenizerLists.map((name) => [`tokenizer.ggml.${name}`, null])) : {}),
    ...Object.fromEntries(entries),
    "general.architecture": architecture,
    "general.parameter_count": parameterCount,
  };
}

interface ModelfileParts {
  readonly model: InstalledModel;
  readonly system: string | undefined;
  readonly template: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Names the model, never its path: paths of this machine are nobody's business. */
function toModelfile({ model, system, template, parameters }: ModelfileParts): string {
  return [
    `# What hearth knows about ${model.name}, written as a Modelfile.`,
    `FROM ${model.name}`,
    ...(template === "" ? [] : [`TEMPLATE """${template}"""`]),
    ...toParameters(parameters, 0).map((line) => `PARAMETER ${line}`),
    ...(system ? [`SYSTEM """${system}"""`] : []),
    ...(model.license === undefined ? [] : [`LICENSE """${model.license}"""`]),
    "",
  ].join("\n");
}

function toParameters(parameters: Readonly<Record<string, unknown>>, width: number): string[] {
  return Object.entries(parameters).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((item: unknown) => `${name.padEnd(width)} ${JSON.stringify(item)}`),
  );
}
