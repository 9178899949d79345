import { describe, expect, test } from "vitest";
import { commandTable } from "../../src/commands/table.ts";
import { HearthError } from "../../src/error.ts";
import { createFakeHearth } from "./fake-hearth.ts";
import { hearth } from "./run-main.ts";

describe("exit codes and errors", () => {
  test("a mistyped command is a usage error that names the nearest command", async () => {
    const { code, stdout, stderr } = await hearth(["pul", "x"]);
    expect(code).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain('hearth has no command "pul". Did you mean "pull"?');
  });

  test("a mistyped flag is a usage error that names the nearest flag", async () => {
    const { code, stderr } = await hearth(["run", "tiny", "--temprature", "1"]);
    expect(code).toBe(2);
    expect(stderr).toContain("hearth run has no flag --temprature. Did you mean --temperature?");
  });

  test("a setting that a command has no use for is refused, not ignored", async () => {
    const { code, stderr } = await hearth(["list", "--port", "80"], { hearth: createFakeHearth() });
    expect(code).toBe(2);
    expect(stderr).toContain("hearth list has no flag --port.");
  });

  test.each([
    [["run"], "hearth run needs MODEL"],
    [["cp", "a"], "hearth cp needs DESTINATION"],
    [["list", "a", "b"], 'hearth list does not know what to do with "b"'],
    [["run", "m", "--seed"], "--seed needs a value: --seed N."],
    [["run", "m", "--system", "--verbose"], '--system needs a value; "--verbose" after it is a flag.'],
    [["run", "m", "--seed", "much"], '--seed is "much"; it must be a number.'],
    [["run", "m", "--context", "-5"], '--context is "-5"; it must be a whole number, 0 or more.'],
    [
      ["run", "m", "--device", "tpu"],
      '--device is "tpu"; it must be one of auto, cpu, cuda, vulkan, metal, coreml, directml, webgpu, npu.',
    ],
    [["run", "m", "--verbose=yes"], '--verbose takes no value; it was given "yes".'],
    [["run", "m", "--format", "/no/such/schema.json"], '"/no/such/schema.json", and no such file can be read'],
    [["run", "m", "--think=maybe"], '--think is "maybe"'],
    [["serve", "--port", "70000"], '--port is "70000"; it must be a port from 0 to 65535.'],
    [["bench", "m", "--clients", "1,0"], '--clients is "0"; it must be 1 or more.'],
    [["bench", "serve"], "hearth bench serve needs MODEL: the model."],
    [["bench", "m", "n"], 'hearth bench does not know what to do with "n".'],
    [["bench", "serve", "m", "--clients", "4"], "hearth bench serve has no flag --clients."],
    [["bench", "m", "--only", "batch"], "hearth bench has no flag --only."],
    [["bench", "serve", "m", "--only", "batch,all"], '--only is "all"; it must be one of batch, mixed, prefix'],
    [["engines", "ad"], 'hearth engines cannot "ad". Did you mean "add"?'],
  ])("%j is a usage error: %s", async (words, sentence) => {
    const { code, stdout, stderr } = await hearth(words, { hearth: createFakeHearth() });
    expect(stderr).toContain(sentence);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  test("with --json an error is one JSON line on stderr with code, message and hint", async () => {
    const { code, stdout, stderr } = await hearth(["show", "gone", "--json"], { hearth: createFakeHearth() });
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: "model_not_found",
        message: 'Model "gone" is not installed.',
        hint: expect.stringContaining("hearth pull"),
      },
    });
  });

  test("an error of ours shows its stack, so that it can be reported", async () => {
    const broken = createFakeHearth({ library: { list: () => Promise.reject(new TypeError("x is not a function")) } });
    const { code, stderr } = await hearth(["list"], { hearth: broken });
    expect(code).toBe(1);
    expect(stderr).toContain("x is not a function");
    expect(stderr).toMatch(/ at .*list\.ts:\d+/);
  });

  test("the hearth is disposed of, also when the command fails", async () => {
    const fake = createFakeHearth();
    await hearth(["show", "gone"], { hearth: fake });
    expect(fake.disposed).toBe(true);
  });

  test("a hearth that cannot be made is one error, told once", async () => {
    const createHearth = (): Promise<never> => Promise.reject(new HearthError("disk_full", "The disk is full."));
    const { code, stderr } = await hearth(["list"], { services: { createHearth } });
    expect(code).toBe(1);
    expect(stderr.match(/The disk is full/g)).toHaveLength(1);
  });

  test("Ctrl-C ends a command with exit code 130 and no error text", async () => {
    const stop = new AbortController();
    const fake = createFakeHearth({
      library: {
        verify: async (_name, { signal } = {}) => {
          stop.abort(new HearthError("aborted", "Interrupted."));
          signal?.throwIfAborted();
          return [];
        },
      },
    });
    const { code, stderr } = await hearth(["verify"], { hearth: fake, signal: stop.signal });
    expect(code).toBe(130);
    expect(stderr).toBe("");
  });
});

describe("help", () => {
  test("`hearth help` lists every command", async () => {
    const { code, stdout } = await hearth(["help"]);
    expect(code).toBe(0);
    for (const { name } of commandTable) expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
  });

  test.each(commandTable.map(({ name }) => name))("`hearth %s --help` explains it and runs nothing", async (name) => {
    const createHearth = (): Promise<never> => Promise.reject(new Error("help must not open the store"));
    const { code, stdout, stderr } = await hearth([name, "--help"], { services: { createHearth } });
    expect(code).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toContain(`Usage: hearth ${name}`);
    expect(stdout).toContain("--json");
  });

  test.each(commandTable.map((row) => [row.name, row] as const))(
    "`hearth help %s` is what --help prints",
    async (name, row) => {
      expect((await row.load()).name).toBe(name);
      expect(await hearth(["help", name])).toEqual(await hearth([name, "--help"]));
    },
  );

  test("`hearth help settings` names flag and environment variable of each", async () => {
    const { stdout } = await hearth(["help", "settings"]);
    expect(stdout).toContain("--keep-alive  HEARTH_KEEP_ALIVE");
  });

  test("`hearth help` of an unknown command says what is near", async () => {
    const { code, stderr } = await hearth(["help", "serv"]);
    expect(code).toBe(2);
    expect(stderr).toContain('Did you mean "serve"?');
  });

  test("`hearth help run --json` is the table as data", async () => {
    const { stdout } = await hearth(["help", "run", "--json"]);
    const { commands } = JSON.parse(stdout) as { commands: { name: string; flags: { flag: string }[] }[] };
    expect(commands.map(({ name }) => name)).toEqual(["run"]);
    expect(commands[0]?.flags.map(({ flag }) => flag)).toContain("--max-tokens");
  });
});

test("an alias runs the same command", async () => {
  const fake = createFakeHearth({ installed: ["tiny:1b"] });
  expect(await hearth(["ls"], { hearth: fake })).toEqual(await hearth(["list"], { hearth: fake }));
});

test("`hearth version --json` says what runs", async () => {
  const { stdout } = await hearth(["version", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    platform: process.platform,
  });
});
