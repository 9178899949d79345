import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { npmEnvironment } from "../config/environment.ts";
import { binaryName } from "./binaries.ts";
import { llamaLibraries } from "./libraries.ts";
import type { NpmRun, RunNpm } from "./npm.ts";
import { runNpm } from "./npm.ts";
import { addPack, listPacks, packModule, packNotice, removePack, updatePack } from "./packs.ts";

let dataFolder: string;

beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), "hearth-packs-"));
});
afterEach(async () => {
  await rm(dataFolder, { recursive: true, force: true });
});

/** Does what npm does to the folder, without the network. */
function fakeNpm(runs: NpmRun[] = [], devices: readonly ("cpu" | "cuda" | "vulkan")[] = ["cpu"]): RunNpm {
  return async (run) => {
    runs.push(run);
    const modules = join(run.folder, "node_modules");
    for (const device of devices) {
      const name = binaryName(device);
      if (name !== undefined) await mkdir(join(modules, "@node-llama-cpp", name, "bins"), { recursive: true });
    }
    await mkdir(join(modules, "@node-llama-cpp"), { recursive: true });
    await symlink("../../none", join(modules, "@node-llama-cpp", "left-out"));
    await mkdir(join(modules, "node-llama-cpp", "dist"), { recursive: true });
    await writeFile(join(modules, "node-llama-cpp", "dist", "index.js"), "");
  };
}

const failing: RunNpm = async ({ folder }) => {
  await mkdir(join(folder, "node_modules"));
  throw new Error("killed");
};

describe("an engine pack", () => {
  it("is installed with its own lock file, without scripts, and then found", async () => {
    const runs: NpmRun[] = [];
    const status = await addPack("llama", { dataFolder, npm: fakeNpm(runs) });
    expect(status).toMatchObject({ name: "llama", state: "installed", installed: status.version });
    expect(runs[0]?.arguments).toEqual(expect.arrayContaining(["ci", "--ignore-scripts"]));
    const folder = join(dataFolder, "engines", "llama");
    const lock = JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8")) as { lockfileVersion: number };
    expect(lock.lockfileVersion).toBe(3);
    expect(packModule("llama", { dataFolder })).toMatch(
      /engines\/llama\/node_modules\/node-llama-cpp\/dist\/index\.js$/,
    );
    expect(await readdir(join(folder, "node_modules", "@node-llama-cpp"))).not.toContain("left-out");
    expect(await readdir(join(dataFolder, "engines"))).toEqual(["llama"]);
  });

  it("is installed once, however many ask, and not again when it is there", async () => {
    const runs: NpmRun[] = [];
    const work = { dataFolder, npm: fakeNpm(runs) };
    await Promise.all([addPack("llama", work), addPack("llama", work)]);
    await addPack("llama", work);
    expect(runs).toHaveLength(1);
  });

  it("is not there when its install failed, and a failed update leaves the old one", async () => {
    await expect(addPack("llama", { dataFolder, npm: failing })).rejects.toThrow("killed");
    expect(listPacks({ dataFolder })[0]?.state).toBe("missing");
    expect(await readdir(join(dataFolder, "engines"))).toEqual([]);
    await addPack("llama", { dataFolder, npm: fakeNpm() });
    await expect(updatePack("llama", { dataFolder, npm: failing })).rejects.toThrow("killed");
    expect(listPacks({ dataFolder })[0]?.state).toBe("installed");
    expect(packModule("llama", { dataFolder })).toBeDefined();
  });

  it("leaves nothing of an install that was killed: the next one sweeps it away", async () => {
    const dead = join(dataFolder, "engines", ".stage-2147483646-dead");
    await mkdir(dead, { recursive: true });
    await addPack("llama", { dataFolder, npm: fakeNpm() });
    expect(existsSync(dead)).toBe(false);
  });

  it("that has no binary for this machine is refused", async () => {
    const error = addPack("llama-cuda", { dataFolder, npm: fakeNpm([], ["cpu"]) });
    await expect(error).rejects.toMatchObject({ code: "engine_missing" });
    expect(listPacks({ dataFolder })[1]?.state).toBe("missing");
  });

  it("is updated and removed only when it is there", async () => {
    await expect(updatePack("llama", { dataFolder, npm: fakeNpm() })).rejects.toMatchObject({ code: "not_found" });
    expect(await removePack("llama", { dataFolder })).toBe(false);
    await addPack("llama", { dataFolder, npm: fakeNpm() });
    expect(await removePack("llama", { dataFolder })).toBe(true);
    expect(await readdir(join(dataFolder, "engines"))).toEqual([]);
    expect(packModule("llama", { dataFolder })).toBeUndefined();
  });

  it("with another name is unknown", async () => {
    await expect(addPack("lama", { dataFolder })).rejects.toThrow(/no engine pack "lama"\. Did you mean "llama"\?/);
  });

  it("of an older version works and is shown as outdated", async () => {
    await addPack("llama", { dataFolder, npm: fakeNpm() });
    await writeFile(join(dataFolder, "engines", "llama", "pack.json"), '{"name":"llama","version":"3.0.0"}');
    expect(listPacks({ dataFolder })[0]).toMatchObject({ state: "outdated", installed: "3.0.0" });
    expect(packModule("llama", { dataFolder })).toBeDefined();
  });

  it("is announced with what it is and how big", () => {
    expect(packNotice("llama", { dataFolder })).toMatch(
      /^Installing the engine pack llama 3\.\d+\.\d+ \(.*about 57(\.0)? MiB/,
    );
  });
});

describe("npm", () => {
  it("that is not there is named", async () => {
    const run = runNpm({ arguments: ["ci"], folder: dataFolder, env: { PATH: dataFolder } });
    await expect(run).rejects.toThrow(/npm could not be started/);
  });

  it("is not told our keys, nor what another npm told us", () => {
    const env = npmEnvironment({
      PATH: "/bin",
      HEARTH_API_KEY: "k",
      HF_TOKEN: "t",
      npm_lifecycle_event: "start",
      npm_config_registry: "r",
    });
    expect(env).toEqual({ PATH: "/bin", npm_config_registry: "r", NODE_LLAMA_CPP_SKIP_DOWNLOAD: "true" });
  });
});

describe("the way to run llama.cpp", () => {
  const notices: string[] = [];
  const options = (more: object = {}) => ({
    dataFolder,
    offline: false,
    onNotice: (text: string) => void notices.push(text),
    npm: fakeNpm([], ["cpu", "cuda"]),
    ...more,
  });

  it("is the installed pack before anything else", async () => {
    await addPack("llama-cuda", options());
    const libraries = await llamaLibraries("auto", options());
    expect(libraries.map(({ device }) => device)).toEqual(["cuda", "cpu"]);
    expect(libraries.every(({ module }) => module.includes("llama-cuda"))).toBe(true);
  });

  it("installs the pack that a named device needs, with one line that says so", async () => {
    notices.length = 0;
    const libraries = await llamaLibraries("cuda", options());
    expect(libraries.map(({ device }) => device)).toEqual(["cuda"]);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain("llama-cuda");
  });

  it("is not fetched when hearth is offline", async () => {
    const missing = llamaLibraries("vulkan", options({ offline: true }));
    await expect(missing).rejects.toMatchObject({ code: "engine_missing" });
    await expect(missing).rejects.toThrow(/llama-vulkan is not installed.*offline/);
  });

  it.each([
    ["cpu", "linux", "x64", "linux-x64"],
    ["cuda", "linux", "x64", "linux-x64-cuda"],
    ["metal", "darwin", "arm64", "mac-arm64-metal"],
    ["cpu", "darwin", "arm64", "mac-arm64-metal"],
    ["cpu", "darwin", "x64", "mac-x64"],
    ["vulkan", "win32", "x64", "win-x64-vulkan"],
    ["metal", "linux", "x64", undefined],
    ["cpu", "freebsd", "x64", undefined],
  ] as const)("for %s on %s %s is %s", (device, platform, arch, name) => {
    expect(binaryName(device, platform, arch)).toBe(name);
  });
});
