import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type {
  BenchOptions,
  BenchReport,
  ProfileOptions,
  ProfileReport,
  ServeBenchOptions,
  ServeReport,
  TaskBenchOptions,
  TaskReport,
} from "../../src/bench/index.ts";
import type { Packs, Services } from "../../src/commands/services.ts";
import { HearthError } from "../../src/error.ts";
import type { Hardware } from "../../src/hardware/contract.ts";
import { createFakeHearth, fakeInfo, fakeModel, fakePlan } from "./fake-hearth.ts";
import { hearth, temporaryFolder } from "./run-main.ts";

const machine: Hardware = {
  platform: "linux",
  architecture: "x64",
  cpu: { model: "Fast CPU", physicalCores: 4, threads: 8, usableThreads: 8, features: ["avx2"] },
  memory: { totalBytes: 16 * 1024 ** 3, availableBytes: 8 * 1024 ** 3 },
  gpus: [],
};

function fakePacks(own: Partial<Packs> = {}): Packs & { readonly calls: string[] } {
  const calls: string[] = [];
  const row = (name: string, installed?: string) => ({
    name,
    text: "runs GGUF models",
    version: "1.0.0",
    installed,
    state: installed === undefined ? "not installed" : "installed",
    downloadBytes: 1024 ** 2,
  });
  return {
    calls,
    list: async () => [row("llama", "0.9.0"), row("llama-cuda")],
    peerModule: async () => "file:///peer.js",
    async add(name, { onLine }) {
      calls.push(`add ${name}`);
      onLine(`npm installs ${name}`);
      return row(name, "1.0.0");
    },
    async update(name) {
      calls.push(`update ${name}`);
      return row(name, "1.0.0");
    },
    async remove(name) {
      calls.push(`remove ${name}`);
      return name === "llama";
    },
    ...own,
  };
}

describe("hearth plan", () => {
  const plan = (fits: boolean) => createFakeHearth({ runtime: { plan: async () => fakePlan(fits) } });
  const readBandwidth = async (): Promise<number> => 10 * 1024 ** 3;

  test("says engine, reasons, memory, context, what goes, and how fast at most", async () => {
    const { code, stdout } = await hearth(["plan", "tiny"], { hearth: plan(true), services: { readBandwidth } });
    expect(code).toBe(0);
    expect(stdout).toContain("tiny:1b fits.");
    expect(stdout).toMatch(/engine +llama on cpu/);
    expect(stdout).toMatch(/because +no GPU was found/);
    expect(stdout).toMatch(/needs +1\.0 GiB/);
    expect(stdout).toMatch(/available +4\.0 GiB of a budget of 4\.0 GiB/);
    expect(stdout).toMatch(/context +2048 tokens/);
    expect(stdout).toMatch(/unloads first +other:7b/);
    expect(stdout).toMatch(/at most 10\.0 tokens\/s/);
  });

  test("what does not fit is exit code 1, with what to change", async () => {
    const { code, stdout } = await hearth(["plan", "tiny"], { hearth: plan(false), services: { readBandwidth } });
    expect(code).toBe(1);
    expect(stdout).toContain("tiny:1b does not fit.");
    expect(stdout).toContain("Try a smaller quantization");
  });

  test("says how large the cache is, which draft is used and who sleeps, where that is set", async () => {
    const found = fakePlan(true);
    const load = {
      ...found.load,
      cacheTokens: 4096,
      draft: { path: "/models/small.gguf" },
      speculation: "auto",
    } as const;
    const fake = createFakeHearth({ runtime: { plan: async () => ({ ...found, load, putsToSleep: ["idle:1b"] }) } });
    const { stdout } = await hearth(["plan", "tiny"], { hearth: fake, services: { readBandwidth } });
    expect(stdout).toMatch(/KV cache +1\.0 MiB for 4096 tokens in all, of 8 sequences of at most 2048$/m);
    expect(stdout).toMatch(/draft +\/models\/small\.gguf/);
    expect(stdout).toMatch(/puts to sleep first +idle:1b/);
    const plain = (await hearth(["plan", "tiny"], { hearth: plan(true), services: { readBandwidth } })).stdout;
    expect(plain).not.toMatch(/draft|speculation|sleep/);
  });

  test("--json has the numbers; without a measured bandwidth no speed is claimed", async () => {
    const services = { readBandwidth: async () => undefined };
    const { stdout } = await hearth(["plan", "tiny", "--json"], { hearth: plan(true), services });
    const parsed = JSON.parse(stdout) as object;
    expect(parsed).toMatchObject({ engine: "llama", fits: true, layers: 22, load: { contextTokens: 2048 } });
    expect(parsed).not.toHaveProperty("tokensPerSecond");
  });
});

describe("hearth bench", () => {
  const report = { model: "tiny:1b", ours: { decode: 10 } } as unknown as BenchReport;

  function fakeBench(): { seen: BenchOptions[]; services: Partial<Services> } {
    const seen: BenchOptions[] = [];
    return {
      seen,
      services: {
        packs: async () => fakePacks(),
        formatReport: async () => "a table",
        async runBench(options) {
          seen.push(options);
          options.onProgress?.("round 1 of 3: hearth");
          return report;
        },
      },
    };
  }

  test("hands the flags on and prints the table; progress is on stderr", async () => {
    const { seen, services } = fakeBench();
    const flags = "--vs llama.cpp --clients 1,8 --runs 5 --prompt-tokens 64 --tokens 32".split(" ");
    const { stdout, stderr } = await hearth(["bench", "tiny", ...flags], { hearth: createFakeHearth(), services });
    expect(stdout).toBe("a table\n");
    expect(stderr).toContain("round 1 of 3: hearth");
    expect(seen[0]).toMatchObject({
      model: "tiny:1b",
      vs: "llama.cpp",
      peerModule: "file:///peer.js",
      clients: [1, 8],
      runs: 5,
      promptTokens: 64,
      decodeTokens: 32,
    });
  });

  test("no model sleeps while it waits for its turn, and none has a draft", async () => {
    const env = { HEARTH_SLEEP_AFTER: "5s", HEARTH_DRAFT: "small" };
    const made = createFakeHearth();
    await hearth(["bench", "tiny"], { hearth: made, services: fakeBench().services, env });
    expect(made.settings).toMatchObject({ sleepAfter: Infinity, draft: undefined });
    const { code, stderr } = await hearth(["bench", "tiny", "--draft", "small"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("--draft")]);
  });

  test("--profile says where the time goes instead", async () => {
    const seen: ProfileOptions[] = [];
    const services: Partial<Services> = {
      formatProfile: async () => "where it goes",
      async runProfile(options) {
        seen.push(options);
        return { model: "tiny:1b" } as ProfileReport;
      },
    };
    const words = ["bench", "tiny", "--profile", "--tokens", "16", "--engine", "flint"];
    const hearthOf = createFakeHearth();
    const { stdout } = await hearth(words, { hearth: hearthOf, services });
    expect(stdout).toBe("where it goes\n");
    expect(seen[0]).toMatchObject({ model: "tiny:1b", decodeTokens: 16 });
    expect(hearthOf.settings.engine).toBe("flint");
    const json = await hearth([...words, "--json"], { hearth: createFakeHearth(), services });
    expect(JSON.parse(json.stdout)).toEqual({ model: "tiny:1b" });
  });

  test("--json prints the report", async () => {
    const { seen, services } = fakeBench();
    const { stdout } = await hearth(["bench", "tiny", "--json"], { hearth: createFakeHearth(), services });
    expect(JSON.parse(stdout)).toEqual({ model: "tiny:1b", ours: { decode: 10 } });
    expect(seen[0]).not.toHaveProperty("vs");
  });

  test("serve measures a server instead, started with the program that runs now", async () => {
    const seen: ServeBenchOptions[] = [];
    const services: Partial<Services> = {
      packs: async () => fakePacks(),
      formatServeReport: async () => "many clients",
      async runServeBench(options) {
        seen.push(options);
        return { model: "tiny:1b" } as ServeReport;
      },
    };
    const words = ["bench", "serve", "tiny", "--only", "batch,queue", "--runs", "1", "--requests", "4"];
    const peers = ["--vs", "llama.cpp", "--llama-server", "/opt/llama-server"];
    const { stdout } = await hearth([...words, ...peers], { hearth: createFakeHearth(), services });
    expect(stdout).toBe("many clients\n");
    expect(seen[0]).toMatchObject({
      model: "tiny:1b",
      only: ["batch", "queue"],
      runs: 1,
      mixedRequests: 4,
      vs: "llama.cpp",
      peerModule: "file:///peer.js",
      llamaServer: "/opt/llama-server",
    });
    expect(seen[0]?.program[0]).toBe(process.execPath);
    const json = await hearth([...words, "--json"], { hearth: createFakeHearth(), services });
    expect(JSON.parse(json.stdout)).toEqual({ model: "tiny:1b" });
  });
});

describe("hearth bench of a model that generates no text", () => {
  const bench = async (flags: string, format: "onnx" | "tflite" = "onnx") => {
    const seen: TaskBenchOptions[] = [];
    const services: Partial<Services> = {
      rawModule: async () => "file:///runtime.js",
      formatTaskReport: async () => "a table",
      async runTaskBench(options) {
        seen.push(options);
        options.onProgress?.("round 1 of 3");
        return { model: "eyes:1b" } as TaskReport;
      },
    };
    const library = {
      resolve: async () => ({ ...fakeModel("eyes:1b"), format }),
      inspect: async () => ({ ...fakeInfo, format, capabilities: ["detect", "infer"] as const }),
    };
    const words = ["bench", "eyes", ...flags.split(" ").filter(Boolean)];
    return { ...(await hearth(words, { hearth: createFakeHearth({ library }), services })), seen };
  };

  test("measures its task", async () => {
    const { stdout, stderr, seen } = await bench("--clients 1,4 --runs 2");
    expect(stdout).toBe("a table\n");
    expect(stderr).toContain("round 1 of 3");
    expect(seen[0]).toMatchObject({ model: "eyes:1b", clients: [1, 4], runs: 2 });
    expect(seen[0]).not.toHaveProperty("vs");
    expect(JSON.parse((await bench("--json")).stdout)).toEqual({ model: "eyes:1b" });
  });

  test("--vs raw brings ONNX Runtime, for an ONNX model alone", async () => {
    expect((await bench("--vs raw")).seen[0]).toMatchObject({ vs: "raw", rawModule: "file:///runtime.js" });
    expect((await bench("--vs raw", "tflite")).seen[0]).not.toHaveProperty("rawModule");
    const { code, stderr } = await hearth(["bench", "tiny", "--vs", "raw"], { hearth: createFakeHearth() });
    expect([code, stderr]).toEqual([2, expect.stringContaining("--vs raw is for ONNX models")]);
    const serve = await hearth(["bench", "serve", "tiny", "--vs", "raw"], { hearth: createFakeHearth() });
    expect([serve.code, serve.stderr]).toEqual([2, expect.stringContaining("not for a server")]);
  });

  test.each(["--prompt-tokens 64", "--tokens 8", "--prompts 2", "--profile", "--vs llama.cpp"])(
    "refuses %s",
    async (flag) => {
      const { code, stderr, seen } = await bench(flag);
      const named = flag.replace(/ \d+$/, "");
      expect([code, stderr]).toEqual([2, expect.stringContaining(`${named} is for models that generate text`)]);
      expect(seen).toEqual([]);
    },
  );
});

describe("hearth engines", () => {
  test("lists the packs", async () => {
    const { stdout } = await hearth(["engines"], { services: { packs: async () => fakePacks() } });
    expect(stdout).toMatch(/^llama +1\.0\.0 +installed +1\.0 MiB +runs GGUF models$/m);
    expect(stdout).toMatch(/^llama-cuda +1\.0\.0 +not installed/m);
  });

  test("adds a pack, with npm's lines on stderr", async () => {
    const packs = fakePacks();
    const { stdout, stderr } = await hearth(["engines", "add", "llama-cuda"], {
      services: { packs: async () => packs },
    });
    expect(packs.calls).toEqual(["add llama-cuda"]);
    expect(stdout).toBe("llama-cuda 1.0.0 is installed.\n");
    expect(stderr).toContain("npm installs llama-cuda");
  });

  test("update alone takes the installed packs", async () => {
    const packs = fakePacks();
    const { stdout } = await hearth(["engines", "update", "--json"], { services: { packs: async () => packs } });
    expect(packs.calls).toEqual(["update llama"]);
    expect(JSON.parse(stdout)).toEqual({ update: ["llama"] });
  });

  test("removing what is not there is an error", async () => {
    const { code, stderr } = await hearth(["engines", "remove", "llama-cuda"], {
      services: { packs: async () => fakePacks() },
    });
    expect(code).toBe(1);
    expect(stderr).toContain("The pack llama-cuda is not installed.");
  });

  test("an unknown pack is a usage error, before anything is done", async () => {
    const packs = fakePacks();
    const { code, stderr } = await hearth(["engines", "add", "llama", "llama-cud"], {
      services: { packs: async () => packs },
    });
    expect(code).toBe(2);
    expect(stderr).toContain('There is no engine pack "llama-cud". Did you mean "llama-cuda"');
    expect(packs.calls).toEqual([]);
  });
});

describe("hearth doctor", () => {
  const services = (own: Partial<Services> = {}): Partial<Services> => ({
    probeHardware: async () => machine,
    diskFreeBytes: async () => 100 * 1024 ** 3,
    packs: async () => fakePacks(),
    connect: async () => ({
      health: () => Promise.reject(new HearthError("offline", "No server answers.")),
      loaded: async () => [],
      stats: async () => ({ atMs: 0, models: [] }),
      stop: async () => false,
      sleep: async () => {},
    }),
    fetch: async () => new Response(null, { status: 200 }),
    ...own,
  });

  test("--roofline says what the machine can do, and what that bounds for a model", async () => {
    const peak = { oneThread: 100e9, allThreads: 200e9 };
    const own: Partial<Services> = {
      roofline: async ({ threads }) => ({
        threads: threads ?? 2,
        machineLoad: 3,
        read: { oneThread: 12e9, allThreads: 25e9 },
        peak: { pairs: peak, quads: { oneThread: 50e9, allThreads: 90e9 } },
      }),
      modelWork: async () => ({ decodeBytes: 500e6, prefillOperations: 2e9 }),
    };
    const words = ["doctor", "--roofline", "--model", "tiny"];
    const { stdout, stderr } = await hearth(words, { hearth: createFakeHearth(), services: own });
    expect(stdout).toMatch(/1 thread +2 threads/);
    expect(stdout).toMatch(/memory read +12\.0 GB\/s +25\.0 GB\/s/);
    expect(stdout).toMatch(/pairs in 16 bit +100\.0 GOP\/s +200\.0 GOP\/s/);
    expect(stdout).toContain("tiny:1b on flint, at most");
    expect(stdout).toMatch(/decode +50\.0 tokens\/s.*\nprefill +100\.0 tokens\/s/);
    expect(stderr).toContain("load average 3.0");
    const json = await hearth(["doctor", "--roofline", "--threads", "1", "--json"], { services: own });
    expect(JSON.parse(json.stdout)).toMatchObject({ threads: 1, peak: { pairs: peak } });
  });

  test("a healthy machine is exit code 0, with versions, hardware, disk, packs and hub", async () => {
    const { code, stdout } = await hearth(["doctor"], { hearth: createFakeHearth(), services: services() });
    expect(code).toBe(0);
    expect(stdout).not.toContain("WRONG");
    for (const word of [
      "Node v",
      "Fast CPU",
      "8.0 GiB free",
      "100 GiB free",
      "llama 0.9.0",
      "answered in",
      "not running",
    ]) {
      expect(stdout).toContain(word);
    }
  });

  test("settings are shown with their source, keys are not shown", async () => {
    const env = { HEARTH_API_KEY: "s3cret", HEARTH_CONTEXT: "8192", HEARTH_KEEP_ALIVE: "90s" };
    const { stdout } = await hearth(["doctor", "--port", "99"], {
      hearth: createFakeHearth(),
      services: services(),
      env,
    });
    expect(stdout).toContain("context = 8192, from the environment");
    expect(stdout).toContain("port = 99, from a flag");
    expect(stdout).toContain("keep-alive = 1m30s, from the environment");
    expect(stdout).toContain("api-key = (hidden), from the environment");
    expect(stdout).not.toContain("s3cret");
  });

  test("a full disk is wrong: exit code 1 and what to do", async () => {
    const diskFreeBytes = async (): Promise<number> => 1024 ** 2;
    const { code, stdout } = await hearth(["doctor", "--json"], {
      hearth: createFakeHearth(),
      services: services({ diskFreeBytes }),
    });
    expect(code).toBe(1);
    const { findings } = JSON.parse(stdout) as { findings: { name: string; status: string; hint?: string }[] };
    expect(findings.filter(({ status }) => status === "wrong")).toEqual([
      expect.objectContaining({ name: "data folder", hint: expect.stringContaining("HEARTH_DATA") }),
    ]);
  });

  test("a data folder that is a file is wrong", async () => {
    const path = join(temporaryFolder(), "file");
    writeFileSync(path, "");
    chmodSync(path, 0o600);
    const { code, stdout } = await hearth(["doctor", "--offline", "--data", path], {
      hearth: createFakeHearth(),
      services: services(),
    });
    expect(code).toBe(1);
    expect(stdout).toContain(`${path} cannot be written`);
  });

  test("a hub that does not answer is noted, not wrong; offline it is not asked", async () => {
    let asked = 0;
    const fetch = (): Promise<never> => {
      asked++;
      return Promise.reject(new TypeError("fetch failed", { cause: new Error("getaddrinfo ENOTFOUND hub") }));
    };
    const options = { hearth: createFakeHearth(), services: services({ fetch }) };
    const { code, stdout } = await hearth(["doctor"], options);
    expect(code).toBe(0);
    expect(stdout).toContain("getaddrinfo ENOTFOUND hub");
    expect(asked).toBe(1);
    expect((await hearth(["doctor", "--offline"], options)).stdout).toContain("set to stay offline");
    expect(asked).toBe(1);
  });

  test("one check that breaks does not hide the others", async () => {
    const probeHardware = (): Promise<never> => Promise.reject(new Error("no /proc here"));
    const { code, stdout } = await hearth(["doctor"], {
      hearth: createFakeHearth(),
      services: services({ probeHardware }),
    });
    expect(code).toBe(1);
    expect(stdout).toContain("no /proc here");
    expect(stdout).toContain("answered in");
  });
});
