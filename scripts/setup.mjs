// Makes sure that node_modules is what package-lock.json says, and finds the Node that runs the sources.
// Plain JavaScript for Node 20: it runs before anything is installed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Runs `npm ci` in a folder of the repository when its node_modules is missing or another lock's. */
export async function ensureInstalled(folder = root) {
  if (isInstalled(folder)) return;
  const release = await takeLock(folder);
  try {
    // Another start may have done it while this one waited.
    if (!isInstalled(folder)) await install(folder);
  } finally {
    release();
  }
}

/** The Node of the dev dependency; without it the one that runs this, when it can run TypeScript. */
export function findNode() {
  const own = join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  if (existsSync(own)) return own;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  throw new Error(
    `hearth needs Node 22.18 or later; this is Node ${process.versions.node}, and ${own} is missing. ` +
      "Remove node_modules and start again, or install a newer Node.",
  );
}

/** Compares npm's own record of what lies in node_modules with the lock; npm writes it when all is in place. */
function isInstalled(folder) {
  const record = join(folder, "node_modules", ".package-lock.json");
  if (!existsSync(record)) return false;
  const have = readPackages(record);
  return Object.entries(readPackages(join(folder, "package-lock.json"))).every(([path, wanted]) => {
    if (!path.startsWith("node_modules/") || wanted.link === true) return true;
    const found = have[path];
    // What is meant for other platforms is not there.
    return found ? found.version === wanted.version : wanted.optional === true || wanted.devOptional === true;
  });
}

function readPackages(path) {
  return JSON.parse(readFileSync(path, "utf8")).packages ?? {};
}

/** npm's output is shown only when it fails; a plain start prints nothing but its own output. */
async function install(folder) {
  const where = folder === root ? "" : ` in ${folder.slice(root.length)}`;
  process.stderr.write(`Installing dependencies${where} (first start, or they changed) ...\n`);
  const cli = process.env.npm_execpath;
  const [command, first] = cli?.endsWith("js") ? [process.execPath, [cli]] : ["npm", []];
  const args = [...first, "ci", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"];
  const child = spawn(command, args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    shell: process.platform === "win32" && command === "npm",
    env: withoutScriptSettings(process.env),
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (text) => (output += text));
  }
  const code = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (code !== 0) {
    process.stderr.write(output);
    throw new Error(`\`npm ci\`${where} failed with exit code ${code}; its output is above.`);
  }
}

/** `npm start --silent` hands its own flags on in the environment; they are not meant for the install. */
function withoutScriptSettings(env) {
  const { npm_config_loglevel: _loglevel, npm_config_silent: _silent, ...rest } = env;
  return rest;
}

/** Two first starts at once would install into each other's folder. */
async function takeLock(folder) {
  const name = createHash("sha256").update(folder).digest("hex").slice(0, 16);
  const path = join(tmpdir(), `hearth-install-${name}.lock`);
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!isAlive(path)) rmSync(path, { force: true });
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function isAlive(path) {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    if (pid > 0) process.kill(pid, 0);
    // An empty file is being written just now, unless it is old.
    return pid > 0 || Date.now() - statSync(path).mtimeMs < 2000;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Runs a child on our own streams, passes signals on, and resolves to its exit code. */
export function passThrough(command, args, options = {}) {
  const child = spawn(command, args, { stdio: "inherit", ...options });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  const watch = watchParent(() => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearInterval(watch);
      const numbers = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
      resolve(code ?? 128 + (numbers[signal] ?? 0));
    });
  });
}

/** npm sends a signal to the shell between it and us, and the shell dies of it without a word. */
function watchParent(onGone) {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, 250);
  return timer;
}
