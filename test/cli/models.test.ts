import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { HearthError } from "../../src/error.ts";
import type { VerifyResult } from "../../src/models/contract.ts";
import { createFakeHearth, fakeModel } from "./fake-hearth.ts";
import { hearth, temporaryFolder } from "./run-main.ts";

describe("hearth list", () => {
  test("shows name, size, format, origin and age", async () => {
    const { code, stdout } = await hearth(["list"], {
      hearth: createFakeHearth({ installed: ["tiny:1b", "other:7b"] }),
    });
    expect(code).toBe(0);
    const [head, ...rows] = stdout.trimEnd().split("\n");
    expect(head?.split(/ +/)).toEqual(["NAME", "SIZE", "FORMAT", "ORIGIN", "MODIFIED"]);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatch(/^tiny:1b +1\.0 GiB +gguf +store +.* ago$/);
  });

  test("a part of a name picks the models that have it", async () => {
    const fake = createFakeHearth({ installed: ["tiny:1b", "other:7b"] });
    const { stdout } = await hearth(["list", "OTH", "--json"], { hearth: fake });
    expect((JSON.parse(stdout) as { models: { name: string }[] }).models.map(({ name }) => name)).toEqual(["other:7b"]);
  });

  test("--catalog shows what can be pulled by a short name", async () => {
    const { stdout } = await hearth(["list", "tinyllama", "--catalog"], {
      hearth: createFakeHearth({ installed: [] }),
    });
    const [head, ...rows] = stdout.trimEnd().split("\n");
    expect(head?.split(/ +/)).toEqual(["NAME", "KIND", "SIZE", "LICENSE", "DESCRIPTION"]);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatch(/^tinyllama:1\.1b +chat +638 MiB +Apache-2\.0 /);
  });

  test("an empty store is said on stderr, and is no error", async () => {
    const { code, stdout, stderr } = await hearth(["list"], { hearth: createFakeHearth({ installed: [] }) });
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toContain("No model is here yet.");
  });

  test("a damaged model is reported on stderr, and the others are listed", async () => {
    const fake = createFakeHearth({
      library: {
        async list({ onWarning } = {}) {
          onWarning?.('The manifest of "bad" is damaged.');
          return [fakeModel("tiny:1b")];
        },
      },
    });
    const { stdout, stderr } = await hearth(["list"], { hearth: fake });
    expect(stdout).toContain("tiny:1b");
    expect(stderr).toBe('The manifest of "bad" is damaged.\n');
  });

  test("a name that would steer the terminal is made harmless", async () => {
    const library = { list: async () => [fakeModel("evil\u001b[2J:1b")] };
    const { stdout } = await hearth(["list"], { hearth: createFakeHearth({ library }) });
    expect(stdout).toContain("evil[2J:1b");
    expect(stdout).not.toContain("\u001b");
  });
});

describe("hearth show", () => {
  test("prints the facts of the header", async () => {
    const { stdout } = await hearth(["show", "tiny"], { hearth: createFakeHearth() });
    expect(stdout).toMatch(/parameters +1\.1B/);
    expect(stdout).toMatch(/quantization +Q4_K_M/);
    expect(stdout).toMatch(/context +2048 tokens/);
    expect(stdout).toMatch(/capabilities +generate, chat/);
  });

  test("--json has the metadata too, big numbers included", async () => {
    const { stdout } = await hearth(["show", "tiny", "--json"], { hearth: createFakeHearth() });
    expect(JSON.parse(stdout)).toMatchObject({
      name: "tiny:1b",
      parameterCount: 1.1e9,
      capabilities: ["generate", "chat"],
      metadata: { "llama.context_length": 2048 },
    });
  });

  test("--license prints the text that the model carries", async () => {
    const path = join(temporaryFolder(), "LICENSE");
    writeFileSync(path, "Do what you like.\n");
    const model = fakeModel("tiny:1b");
    const files = [...model.files, { role: "license", name: "LICENSE", sizeBytes: 18, path } as const];
    const fake = createFakeHearth({ library: { resolve: async () => ({ ...model, files }) } });
    const { stdout } = await hearth(["show", "tiny", "--license"], { hearth: fake });
    expect(stdout).toBe("Do what you like.\n");
  });

  test("--template, --system and --parameters print what the manifest overrides", async () => {
    const overrides = { template: "OWN", system: "Be kind.", parameters: { temperature: 0.1 } };
    const fake = createFakeHearth({ library: { resolve: async () => ({ ...fakeModel("tiny:1b"), overrides }) } });
    expect((await hearth(["show", "tiny", "--template"], { hearth: fake })).stdout).toBe("OWN\n");
    expect((await hearth(["show", "tiny", "--system"], { hearth: fake })).stdout).toBe("Be kind.\n");
    expect((await hearth(["show", "tiny", "--parameters"], { hearth: fake })).stdout).toMatch(/temperature +0\.1/);
  });

  test("a file that is no model is an error with exit code 1", async () => {
    const inspect = (): Promise<never> =>
      Promise.reject(new HearthError("model_malformed", "The file is no GGUF model: bad magic at offset 0."));
    const { code, stderr } = await hearth(["show", "tiny"], { hearth: createFakeHearth({ library: { inspect } }) });
    expect(code).toBe(1);
    expect(stderr).toContain("bad magic at offset 0");
  });
});

describe("hearth pull", () => {
  test("says what is here now, with progress on stderr", async () => {
    const fake = createFakeHearth({ installed: [], available: ["tiny:1b", "other:7b"] });
    const { code, stdout, stderr } = await hearth(["pull", "tiny", "other"], { hearth: fake });
    expect(code).toBe(0);
    expect(stdout).toBe("tiny:1b is here, 1.0 GiB.\nother:7b is here, 1.0 GiB.\n");
    expect(stderr).toContain("fetching tiny:1b");
  });

  test("--json prints the model", async () => {
    const fake = createFakeHearth({ installed: [], available: ["tiny:1b"] });
    const { stdout } = await hearth(["pull", "tiny", "--json"], { hearth: fake });
    expect(JSON.parse(stdout)).toMatchObject({ models: [{ name: "tiny:1b", sizeBytes: 1024 ** 3 }] });
  });

  test("on a terminal the bar is wiped away at the end", async () => {
    const fake = createFakeHearth({ installed: [], available: ["tiny:1b"] });
    const { stderr } = await hearth(["pull", "tiny"], { hearth: fake, terminal: { stderr: true } });
    expect(stderr).toMatch(/\[#{15}\.{15}\] +50%/);
    expect(stderr.endsWith("\r\u001b[2K")).toBe(true);
  });
});

describe("hearth rm and cp", () => {
  test("rm removes several models", async () => {
    const fake = createFakeHearth({ installed: ["a:1b", "b:1b", "c:1b"] });
    const { stdout } = await hearth(["rm", "a", "b"], { hearth: fake });
    expect(stdout).toBe("a:1b is removed.\nb:1b is removed.\n");
    expect((await fake.library.list()).map(({ name }) => name)).toEqual(["c:1b"]);
  });

  test("rm removes nothing when one of the names is unknown", async () => {
    const fake = createFakeHearth({ installed: ["a:1b"] });
    const { code } = await hearth(["rm", "a", "gone"], { hearth: fake });
    expect(code).toBe(1);
    expect(await fake.library.list()).toHaveLength(1);
  });

  test("cp gives a second name", async () => {
    const fake = createFakeHearth();
    const { stdout } = await hearth(["cp", "tiny", "mine:1b", "--json"], { hearth: fake });
    expect(JSON.parse(stdout)).toMatchObject({ name: "mine:1b" });
    expect(await fake.library.list()).toHaveLength(2);
  });
});

describe("hearth verify", () => {
  const verify = (results: readonly VerifyResult[]): ReturnType<typeof createFakeHearth> =>
    createFakeHearth({ library: { verify: async () => results } });

  test("all well is exit code 0", async () => {
    const fake = verify([{ model: "tiny:1b", file: "model.gguf", status: "ok" }]);
    const { code, stdout } = await hearth(["verify"], { hearth: fake });
    expect(code).toBe(0);
    expect(stdout).toMatch(/tiny:1b +model\.gguf +ok/);
  });

  test.each(["changed", "missing"] as const)("a %s file is exit code 1, and how to mend it", async (status) => {
    const fake = verify([{ model: "tiny:1b", file: "model.gguf", status }]);
    const { code, stdout, stderr } = await hearth(["verify", "tiny", "--json"], { hearth: fake });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({ results: [{ model: "tiny:1b", file: "model.gguf", status }] });
    expect(stderr).toBe("");
    expect((await hearth(["verify"], { hearth: fake })).stderr).toContain("`hearth pull tiny:1b`");
  });
});
