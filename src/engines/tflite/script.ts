/**
 * A script that Emscripten has made, as the CommonJS module that it wants to be: its package says that it is an ES module,
 * so that Node loads it neither here nor in the threads that it starts.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { compileFunction } from "node:vm";
import { Worker } from "node:worker_threads";
import type { WorkerOptions } from "node:worker_threads";

const names = ["require", "module", "exports", "__filename", "__dirname"];

/** What the script exports. */
export function loadScript(path: string): unknown {
  const native = createRequire(path);
  const threads = { ...(native("node:worker_threads") as object), Worker: threadOf(path) };
  const load = (name: string): unknown => (name === "node:worker_threads" ? threads : native(name));
  const module = { exports: {} };
  const run = compileFunction(readFileSync(path, "utf8"), names, { filename: path });
  run(load, module, module.exports, path, dirname(path));
  return module.exports;
}

/** Threads run the same script the same way. What they are handed says that they are threads. */
function threadOf(path: string): typeof Worker {
  const source = `
    const { readFileSync } = require("node:fs");
    const { compileFunction } = require("node:vm");
    const [path, folder, names] = ${JSON.stringify([path, dirname(path), names])};
    const module_ = { exports: {} };
    compileFunction(readFileSync(path, "utf8"), names, { filename: path })(require, module_, module_.exports, path, folder);
  `;
  return class extends Worker {
    constructor(_: string | URL, options: WorkerOptions) {
      super(source, { ...options, eval: true });
    }
  };
}
