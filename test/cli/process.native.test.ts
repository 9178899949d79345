/** The few things that only a real process can show. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const cli = join(root, "src", "cli.ts");
const data = mkdtempSync(join(tmpdir(), "hearth-process-"));
afterAll(() => rmSync(data, { recursive: true, force: true }));

const env = { ...process.env, HEARTH_DATA: data, HEARTH_OFFLINE: "1" };

function run(command: string, args: readonly string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, env, encoding: "utf8", input: "" });
  return { code: status, stdout, stderr };
}

const hearth = (...args: readonly string[]): ReturnType<typeof run> => run(process.execPath, [cli, ...args]);

/** Best of several: another process that computes must not fail the test. */
function bestMs(times: number, work: () => void): number {
  let best = Infinity;
  for (let count = 0; count < times; count++) {
    const started = performance.now();
    work();
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

describe("hearth --version", () => {
  test("prints one line", () => {
    expect(hearth("--version")).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^hearth \d+\.\d+\.\d+\n$/),
      stderr: "",
    });
  });

  test("takes less than 150 ms over bare Node", () => {
    const bare = bestMs(5, () => void run(process.execPath, ["-e", "0"]));
    const ours = bestMs(5, () => void hearth("--version"));
    expect(ours - bare).toBeLessThan(150);
  });

  test("loads no module of the commands", () => {
    const { stdout } = run(process.execPath, [
      "--input-type=module",
      "-e",
      `import { registerHooks } from "node:module";
       const seen = [];
       registerHooks({ load(url, context, next) { seen.push(url); return next(url, context); } });
       process.argv = [process.argv[0], "cli.ts", "--version"];
       await import(${JSON.stringify(new URL("../../src/cli.ts", import.meta.url).href)});
       console.log(JSON.stringify(seen.filter((url) => url.startsWith("file:"))));`,
    ]);
    const loaded = JSON.parse(stdout.split("\n").at(1) ?? "[]") as string[];
    expect(loaded.map((url) => url.slice(url.indexOf("/src/")))).toEqual(["/src/cli.ts"]);
  });
});

describe("a process", () => {
  test("`hearth list` loads no native code and no engine", () => {
    const { code, stdout } = run(process.execPath, [
      "--input-type=module",
      "-e",
      `import { registerHooks } from "node:module";
       const seen = [];
       registerHooks({ load(url, context, next) { seen.push(url); return next(url, context); } });
       process.argv = [process.argv[0], "cli.ts", "list"];
       process.on("exit", () => console.log(JSON.stringify(seen)));
       await import(${JSON.stringify(new URL("../../src/cli.ts", import.meta.url).href)});`,
    ]);
    expect(code).toBe(0);
    const loaded = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "[]") as string[];
    expect(loaded.some((url) => url.endsWith("/src/commands/list.ts"))).toBe(true);
    expect(
      loaded.filter((url) => /\.node$|node-llama-cpp|engines\/.*\/(engine|child|backend)\.ts$|\/hono\//.test(url)),
    ).toEqual([]);
  });

  test("exit codes reach the shell: 0, 1 and 2", () => {
    expect(hearth("list").code).toBe(0);
    expect(hearth("show", "gone").code).toBe(1);
    expect(hearth("lisst").code).toBe(2);
  });

  test("without colour for a pipe, and with it when it is forced", () => {
    expect(hearth("help").stdout).not.toContain("\u001b[");
    const forced = spawnSync(process.execPath, [cli, "help"], { env: { ...env, FORCE_COLOR: "1" }, encoding: "utf8" });
    expect(forced.stdout).toContain("\u001b[1m");
  });

  test("a reader that leaves early is no error", async () => {
    const child = spawn(process.execPath, [cli, "help", "--json"], { env, stdio: ["ignore", "pipe", "pipe"] });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdout.destroy();
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});

describe("npm start", () => {
  test("prints nothing but the output of the command", () => {
    const { code, stdout, stderr } = run("npm", ["start", "--silent", "--", "version", "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ version: expect.any(String) });
  });

  test("passes the exit code on", () => {
    expect(run("npm", ["start", "--silent", "--", "lisst"]).code).toBe(2);
  });
});

describe("the published launcher", () => {
  const launcher = join(root, "bin", "hearth.cjs");

  test("runs the command line", () => {
    expect(run(process.execPath, [launcher, "--version"]).stdout).toMatch(/^hearth \d/);
  });

  test.each(["12.22.0", "18.20.4", "20.20.2", "22.17.1"])(
    "on Node %s it says in one sentence what is needed",
    (version) => {
      const fake = `Object.defineProperty(process.versions, "node", { value: "${version}" }); require(${JSON.stringify(launcher)});`;
      expect(run(process.execPath, ["-e", fake])).toEqual({
        code: 1,
        stdout: "",
        stderr: `hearth needs Node 22.18 or later; this is Node ${version}.\n`,
      });
    },
  );
});
