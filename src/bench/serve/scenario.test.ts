/** The scenarios with servers in memory. */
import { expect, test } from "vitest";
import { createPrompts, createRandom } from "../workload.ts";
import type { BenchRequest, Contestant } from "../measure.ts";
import type { HearthServer, HearthServerOptions, TextRequest } from "./hearth-server.ts";
import { fairness } from "./queue.ts";
import type { Kit, ScenarioName } from "./scenario.ts";
import { createScenarios, type Sizes } from "./scenarios.ts";
import { tokenGaps, totalRate, traceRequest } from "./trace.ts";

const sizes: Sizes = {
  batch: { clients: 3, promptTokens: 5, tokens: 2 },
  mixed: { clients: 2, requests: 2, least: 2, most: 6 },
  prefix: { clients: 3, prefixTokens: 10, ownTokens: 2 },
  agent: { turns: 3, newTokens: 4, answerTokens: 2 },
  restart: { prefixTokens: 10, ownTokens: 2 },
  repeat: { tokens: 20, texts: 2 },
  ordinary: { tokens: 20, texts: 2 },
  queue: { clients: 10, users: 3, heavy: 4, slots: 2, promptTokens: 4, tokens: 2 },
};

interface House {
  readonly kit: Kit;
  /** What happened, in order: `hearth load`, `peer unload` … */
  readonly calls: string[];
  readonly requests: BenchRequest[];
  readonly told: { readonly speculation: string; readonly text: string }[];
  readonly servers: HearthServerOptions[];
}

interface HouseOptions {
  readonly runs?: number;
  readonly signal?: AbortSignal;
  /** Throws for requests that fail. */
  readonly refuse?: (request: BenchRequest) => void;
  readonly answer?: (request: TextRequest, speculation: string) => string;
}

function createHouse({ runs = 1, signal, refuse = () => {}, answer = () => "a b c" }: HouseOptions = {}): House {
  const [calls, requests, servers]: [string[], BenchRequest[], HearthServerOptions[]] = [[], [], []];
  const told: House["told"] = [];
  const contestant = (name: string): Contestant => ({
    name,
    async load() {
      calls.push(`${name} load`);
    },
    async generate(request, onToken) {
      refuse(request);
      if (name === "hearth") requests.push(request);
      calls.push(`${name} ${request.prompt.length}/${request.tokens}`);
      for (let token = 0; token < request.tokens; token++) onToken();
    },
    residentBytes: () => undefined,
    async unload() {
      calls.push(`${name} unload`);
    },
  });
  const kit: Kit = {
    runs,
    contextTokens: 64,
    signal,
    note: (line) => calls.push(line),
    hearth(options): HearthServer {
      servers.push(options);
      return {
        ...contestant("hearth"),
        pid: undefined,
        async tell(request, onToken) {
          told.push({ speculation: options.speculation, text: request.text });
          for (const word of answer(request, options.speculation).split(/(?<= )/)) onToken(word);
        },
      };
    },
    peers: () => [contestant("peer")],
    prompts: (seed) => createPrompts(1000, createRandom(seed)),
  };
  return { kit, calls, requests, told, servers };
}

const run = async (name: ScenarioName, { kit }: House): ReturnType<ReturnType<typeof scenario>["run"]> =>
  await scenario(name).run(kit);
const scenario = (name: ScenarioName) => createScenarios(sizes)[name];

test("all are loaded first, take each run in turn, another begins each time, and all are unloaded", async () => {
  const house = createHouse({ runs: 2 });
  const results = await run("batch", house);
  const three = (call: string): string[] => [call, call, call];
  expect(house.calls).toEqual([
    "hearth load",
    "peer load",
    "batch, run 1 of 2: hearth",
    ...three("hearth 5/2"),
    "batch, run 1 of 2: peer",
    ...three("peer 5/2"),
    "batch, run 2 of 2: peer",
    ...three("peer 5/2"),
    "batch, run 2 of 2: hearth",
    ...three("hearth 5/2"),
    "hearth unload",
    "peer unload",
  ]);
  expect(Object.entries(results).map(([name, runs]) => [name, runs.length])).toEqual([
    ["hearth", 2],
    ["peer", 2],
  ]);
  expect(new Set(house.requests.map(({ prompt }) => prompt.join())).size).toBe(6);
});

test.each(["batch", "mixed", "prefix", "agent", "restart", "repeat", "ordinary", "queue"] as const)(
  "%s gives a value of ours for each line of its report, and ends what it began",
  async (name) => {
    const house = createHouse();
    const [values] = (await run(name, house))["hearth"] ?? [];
    expect(Object.keys(values ?? {})).toEqual(expect.arrayContaining(scenario(name).figures.map((row) => row.name)));
    const begun = house.calls.filter((call) => call === "hearth load").length;
    expect(begun).toBeGreaterThan(0);
    expect(house.calls.filter((call) => call === "hearth unload")).toHaveLength(begun);
  },
);

test("what fails or is interrupted is unloaded all the same", async () => {
  const refuse = (): void => {
    throw new Error("broken");
  };
  const house = createHouse({ refuse });
  await expect(run("mixed", house)).rejects.toThrow("broken");
  expect(house.calls.slice(-2)).toEqual(["hearth unload", "peer unload"]);
  const interrupted = createHouse({ signal: AbortSignal.abort(new Error("enough")) });
  await expect(run("batch", interrupted)).rejects.toThrow("enough");
  expect(interrupted.calls).toEqual([]);
});

test("an answer that is too short is no figure", async () => {
  const { kit } = createHouse();
  const short: Contestant = { ...kit.hearth({ slots: 1, speculation: "off" }), generate: async () => {} };
  await expect(traceRequest(short, { prompt: [1], tokens: 2 }, undefined)).rejects.toThrow(
    "hearth answered with 0 tokens; 2 were asked for.",
  );
});

test("the clients of prefix share its first tokens; those who ask again bring other last ones", async () => {
  const house = createHouse();
  await run("prefix", house);
  expect(new Set(house.requests.map(({ prompt }) => prompt.slice(0, 10).join())).size).toBe(1);
  expect(new Set(house.requests.map(({ prompt }) => prompt.join())).size).toBe(6);
});

test("a restart stops the server between two prompts that differ at their end alone", async () => {
  const house = createHouse();
  await run("restart", house);
  const once = ["hearth load", "hearth 12/1", "hearth unload"];
  expect(house.calls).toEqual(["restart, run 1 of 1", ...once, ...once]);
  const [cold, warm] = house.requests.map(({ prompt }) => prompt);
  expect(warm?.slice(0, 10)).toEqual(cold?.slice(0, 10));
  expect(warm).not.toEqual(cold);
});

test("speculation is measured on the same texts with and without, in turn; elsewhere it is off", async () => {
  const house = createHouse({ runs: 2 });
  await run("repeat", house);
  expect(house.servers.map(({ speculation }) => speculation)).toEqual(["auto", "off"]);
  expect(house.told.map(({ speculation }) => speculation)).toEqual("auto off off auto off auto auto off".split(" "));
  const texts = (speculation: string): string[] =>
    house.told.filter((one) => one.speculation === speculation).map(({ text }) => text);
  expect(texts("auto").toSorted()).toEqual(texts("off").toSorted());
  for (const name of ["batch", "mixed", "prefix", "agent", "restart", "queue"] as const) {
    const other = createHouse();
    await run(name, other);
    expect(other.servers.map(({ speculation }) => speculation)).toEqual(["off"]);
  }
});

test("the report says how much of the answer was in the prompt, and whether guessing changed it", async () => {
  const same = await run("repeat", createHouse({ answer: ({ text }) => text }));
  expect(same["hearth"]?.[0]).toMatchObject({ copied: 1, same: 1 });
  const changed = await run("repeat", createHouse({ answer: (_, speculation) => `it is ${speculation}` }));
  expect(changed["hearth"]?.[0]).toMatchObject({ copied: 0, same: 0 });
});

test("a queued request that fails is counted, and the others go on", async () => {
  let asked = 0;
  const refuse = (): void => {
    if (++asked % 5 === 0) throw new Error("the queue is full");
  };
  const house = createHouse({ refuse });
  const results = await run("queue", house);
  expect(results["hearth"]?.[0]).toMatchObject({ failures: 2 });
  expect(new Set(house.requests.map(({ user }) => user))).toEqual(new Set([0, 1, 2]));
});

test("fairness looks at the time in which everybody still waits", () => {
  const served = (user: number, ...tokensAt: number[]) => ({ user, trace: { sentAt: 0, tokensAt, late: 0 } });
  // The second user is done at 4; until then both have got two tokens.
  expect(fairness([served(0, 1, 3, 5, 6, 7), served(1, 2), served(1, 4)])).toBe(1);
  // First come, first served: the first user gets four before the second gets one.
  expect(fairness([served(0, 1, 2, 3, 4), served(1, 5)])).toBe(0.5);
});

test("tokens that nobody saw arrive count for the rate, not for the time between tokens", () => {
  const trace = { sentAt: 0, tokensAt: [100, 120, 150, 150], late: 1 };
  expect(tokenGaps(trace)).toEqual([20, 30]);
  expect(totalRate([trace, { sentAt: 50, tokensAt: [200], late: 0 }])).toBe(25);
});
