import { expect, test } from "vitest";
import { formatServeReport, summarizeScenario, type ServeReport } from "./report.ts";
import { createScenarios, defaultSizes } from "./scenarios.ts";

const { batch, prefix, restart, repeat } = createScenarios(defaultSizes);

const head = {
  model: "m:1b",
  engine: "flint",
  device: "cpu",
  threads: 2,
  contextTokens: 2048,
  runs: 3,
  machineLoad: { before: 0.1, after: 2 },
  skipped: [],
} as const;

test("a line has the median of each contestant, and the ratio to each peer from the runs in which both took part", () => {
  const rates = (...values: number[]) => values.map((rate) => ({ rate }));
  const { figures } = summarizeScenario(batch, {
    hearth: rates(100, 120, 80),
    "llama.cpp": rates(50, 30, 40),
    "llama-server": rates(25, 40, 20),
  });
  expect(figures).toEqual([
    {
      name: "rate",
      label: "all together",
      unit: "tok/s",
      values: { hearth: 100, "llama.cpp": 40, "llama-server": 25 },
      ratios: { "llama.cpp": 2, "llama-server": 4 },
    },
  ]);
});

test("for times less is better, and the ratio says so", () => {
  const { figures } = summarizeScenario(prefix, {
    hearth: [{ firstP50: 100, firstP99: 200, againP50: 10 }],
    peer: [{ firstP50: 500, firstP99: 300, againP50: 10 }],
  });
  expect(figures.map(({ ratios }) => ratios["peer"])).toEqual([5, 1.5, 1]);
});

test("the table shows the ratio to the better peer, and nothing where there is nothing to compare", () => {
  const report: ServeReport = {
    ...head,
    scenarios: [
      summarizeScenario(batch, {
        hearth: [{ rate: 100 }],
        "llama.cpp": [{ rate: 50 }],
        "llama-server": [{ rate: 40 }],
      }),
      summarizeScenario(restart, { hearth: [{ cold: 2000, warm: 60, share: 0.03 }] }),
      summarizeScenario(repeat, { hearth: [{ with: 30, without: 15, ratio: 2, copied: 0.9, same: 1 }] }),
    ],
  };
  const text = formatServeReport(report);
  expect(text).toContain("m:1b: engine flint on cpu, 2 threads, context 2048");
  expect(text).toMatch(/^ +hearth +llama\.cpp +llama-server +ratio$/m);
  expect(text).toMatch(
    /batch: 8 clients at once, 128 tokens in, 128 out\n +all together, tok\/s +100 +50\.0 +40\.0 +2\.00 x$/m,
  );
  expect(text).toMatch(/^ +second of first, % +3\.0 +- +-$/m);
  expect(text).toMatch(/^ +with : without +2\.00 x +- +-$/m);
  expect(text).toMatch(/^ +same answer without +yes +- +-$/m);
  expect(text).not.toContain("busy");
});

test("who took no part is named with the reason, and a busy machine too", () => {
  const report: ServeReport = {
    ...head,
    machineLoad: { before: 1.5, after: 2 },
    skipped: [{ name: "llama-server", reason: "there is none on the PATH." }],
    scenarios: [summarizeScenario(batch, { hearth: [{ rate: 100 }] })],
  };
  const text = formatServeReport(report);
  expect(text).toContain("llama-server took no part: there is none on the PATH.");
  expect(text).toContain("these figures are noisy");
  expect(text).not.toContain("ratio");
});
