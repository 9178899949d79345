/** The flags of `hearth bench`, and which of them belong to `hearth bench serve` alone. */
import { scenarioNames, type ScenarioName } from "../../bench/serve/scenario.ts";
import { parseInteger, parseOneOf } from "../../config/values.ts";
import { HearthError } from "../../error.ts";
import type { FlagTable, FlagValues, SwitchRow, ValueRow } from "../command.ts";

const count = (text: string): ValueRow<number> => ({ kind: "value", value: "N", text, parse: parsePositive });

const counts: ValueRow<number[]> = {
  kind: "value",
  value: "N,N",
  text: "numbers of clients at once; default 1,4,8,16, of models that generate no text 1,8",
  parse: (text, name) => text.split(",").map((part) => parsePositive(part.trim(), name)),
};

const peer: ValueRow<"llama.cpp" | "raw"> = {
  kind: "value",
  value: "llama.cpp|raw",
  text: "measure raw node-llama-cpp too, of an ONNX model raw ONNX Runtime, and print ratios; above 1 means that hearth is better",
  parse: parseOneOf(["llama.cpp", "raw"]),
};

const only: ValueRow<ScenarioName[]> = {
  kind: "value",
  value: "NAME,NAME",
  text: `serve: these scenarios alone, of ${scenarioNames.join(", ")}`,
  parse: (text, name) => text.split(",").map((part) => parseOneOf(scenarioNames)(part.trim(), name)),
};

const llamaServer: ValueRow<string> = {
  kind: "value",
  value: "PATH",
  text: "serve: llama.cpp's own server, measured with --vs; default: the one on the PATH, if there is one",
  parse: (text) => text,
};

interface Flags extends FlagTable {
  readonly vs: ValueRow<"llama.cpp" | "raw">;
  readonly runs: ValueRow<number>;
  readonly clients: ValueRow<number[]>;
  readonly "prompt-tokens": ValueRow<number>;
  readonly tokens: ValueRow<number>;
  readonly prompts: ValueRow<number>;
  readonly profile: SwitchRow;
  readonly only: ValueRow<ScenarioName[]>;
  readonly requests: ValueRow<number>;
  readonly "llama-server": ValueRow<string>;
}

export const benchFlags: Flags = {
  vs: peer,
  runs: count("rounds; the report has their medians; default 3"),
  clients: counts,
  "prompt-tokens": count("length of the prompts; default 512, of texts to embed 42"),
  tokens: count("length of the answers; default 128"),
  prompts: count("prompts a round for prefill and decode; default 3"),
  profile: { kind: "switch", text: "say instead where each millisecond of a step goes" },
  only,
  requests: count("serve: requests of each client of the scenario mixed; default 2"),
  "llama-server": llamaServer,
};

export type BenchFlags = FlagValues<Flags>;

const ofOne = {
  plain: ["clients", "prompt-tokens", "tokens", "prompts", "profile"],
  serve: ["only", "requests", "llama-server"],
} as const;

/** A flag of the one kind of bench means nothing to the other. Throws `usage`. */
export function checkFlags(flags: BenchFlags, kind: "plain" | "serve"): void {
  const other = kind === "plain" ? "serve" : "plain";
  const wrong = ofOne[other].find((name) => flags[name] !== undefined && flags[name] !== false);
  if (wrong === undefined) return;
  const words = { plain: "hearth bench", serve: "hearth bench serve" };
  throw new HearthError("usage", `${words[kind]} has no flag --${wrong}.`, {
    hint: `It belongs to \`${words[other]} MODEL\`.`,
  });
}

function parsePositive(text: string, name: string): number {
  const value = parseInteger(text, name);
  if (value > 0) return value;
  throw new HearthError("usage", `${name} is "${text}"; it must be 1 or more.`);
}
