/** `tool_choice`: which tools a model is given, and how a call is enforced. */
import { HearthError } from "../error.ts";
import type { JsonSchema, Tool, ToolChoice } from "../spec/message.ts";
import type { OutputFormat } from "../spec/sampling.ts";
import { callOpeners } from "./output/formats.ts";
import type { ToolFormat } from "./output/formats.ts";

export interface ChosenTools {
  /** Tools the model is told about. */
  readonly tools: readonly Tool[];
  /** Tools of which one must be called; undefined: the model decides. */
  readonly forced?: readonly Tool[];
}

/** Throws `bad_request` for a choice that names no tool of the request. */
export function chooseTools(tools: readonly Tool[] | undefined, choice: ToolChoice = "auto"): ChosenTools {
  const offered = tools ?? [];
  checkNames(offered);
  if (choice === "none") return { tools: [] };
  if (choice === "auto") return { tools: offered };
  const forced = choice === "required" ? offered : offered.filter(({ name }) => name === choice.name);
  if (forced.length === 0) {
    const wanted = choice === "required" ? "a tool call" : `the tool "${choice.name}"`;
    throw new HearthError("bad_request", `The tool choice asks for ${wanted}, but the request does not offer it.`, {
      hint: "List the tool in `tools`, or choose `auto`.",
      details: { field: "tool_choice" },
    });
  }
  return { tools: offered, forced };
}

function checkNames(tools: readonly Tool[]): void {
  const seen = new Set<string>();
  for (const { name } of tools) {
    if (!/^[A-Za-z0-9_.:/-]{1,128}$/.test(name)) {
      throw new HearthError("bad_request", `"${name.slice(0, 40)}" cannot be the name of a tool.`, {
        hint: "Use up to 128 letters, digits and _ - . : /",
        details: { field: "tools" },
      });
    }
    if (seen.has(name)) {
      throw new HearthError("bad_request", `The tool "${name}" is listed twice.`, { details: { field: "tools" } });
    }
    seen.add(name);
  }
}

/** The grammar that leaves the model nothing but a call of one of these tools. */
export function forcedFormat(tools: readonly Tool[], family: ToolFormat): OutputFormat {
  const { key } = callOpeners[family];
  const schemas = tools.map(({ name, parameters }): JsonSchema => ({
    type: "object",
    properties: { name: { const: name }, [key]: parametersSchema(parameters) },
    required: ["name", key],
    additionalProperties: false,
  }));
  const [only] = schemas;
  return { type: "json-schema", schema: schemas.length === 1 && only ? only : { oneOf: schemas } };
}

function parametersSchema(parameters: JsonSchema): JsonSchema {
  if (parameters["type"] === undefined && parameters["properties"] === undefined)
    return { type: "object", properties: {} };
  return { type: "object", ...parameters };
}

/** Told to models whose template has no place for tools. */
export function toolInstruction(tools: readonly Tool[]): string {
  const list = tools.map(({ name, description, parameters }) => JSON.stringify({ name, description, parameters }));
  return [
    "These tools are available, one JSON object a line:",
    ...list,
    "When a tool is needed, answer with nothing but one JSON object of this form:",
    '{"name": "the name of the tool", "arguments": {"the name of a parameter": "its value"}}',
    "The result comes with the next message. When no tool is needed, answer in plain words.",
  ].join("\n");
}
