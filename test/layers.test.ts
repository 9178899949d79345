/** The rows of ARCHITECTURE.md: a module imports only from its own folder or from a lower row. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const source = fileURLToPath(new URL("../src", import.meta.url));

/** Folder or file in `src/` → row. Rows 0 and 8 have steps of their own, written as fractions. */
const rows: Readonly<Record<string, number>> = {
  "index.ts": 9,
  "cli.ts": 8.9,
  commands: 8.5,
  terminal: 8,
  server: 7,
  bench: 7,
  dialects: 6,
  tasks: 5,
  compress: 5,
  runtime: 4,
  engines: 3,
  models: 2,
  chat: 2,
  hardware: 2,
  formats: 1,
  config: 1,
  client: 1,
  spec: 0.2,
  util: 0.1,
  "error.ts": 0,
};

interface Import {
  readonly file: string;
  readonly target: string;
}

/** Every import, export-from and dynamic import of a module of our own; `new URL("x.ts", import.meta.url)` counts too. */
function readImports(file: string, text: string): Import[] {
  const withoutComments = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*|new URL\(\s*)["'](\.[^"']*)["']/g;
  return [...withoutComments.matchAll(pattern)].map((match) => ({
    file,
    target: join(dirname(file), match[1] ?? ""),
  }));
}

function top(path: string): string {
  return path.split("/")[0] ?? "";
}

/** Why the import is not allowed; undefined: it is. */
function judge({ file, target }: Import): string | undefined {
  // Data that is published beside the code.
  if (target === "../package.json" || target === "../packs") return undefined;
  if (target.startsWith("..")) return "it leaves src/";
  const from = top(file);
  const to = top(target);
  const [fromRow, toRow] = [rows[from], rows[to]];
  if (fromRow === undefined || toRow === undefined) return `no row is known for ${fromRow === undefined ? from : to}`;
  if (from !== to && toRow >= fromRow) return `${to} (row ${toRow}) is not below ${from} (row ${fromRow})`;
  if (from === "client" && from !== to && toRow >= 1) return "client imports row 0 only";
  return judgeEngine(file, target);
}

/** What an engine needs is handed to it: rows 0 and 1, its own folder, the host, and what decodes pictures. */
function judgeEngine(file: string, target: string): string | undefined {
  const engine = /^engines\/(flint|llama|onnx|tflite|speech|fake|host|media)\//.exec(file)?.[1];
  if (engine === undefined) return undefined;
  const allowed = [
    "spec/",
    "util/",
    "error.ts",
    "formats/",
    "config/",
    `engines/${engine}/`,
    "engines/host/",
    "engines/media/",
    // What chooses tokens and what cuts texts into them know nothing of the engine they were written for.
    ...(engine === "onnx" ? ["engines/flint/sampling/", "engines/flint/tokenizer/"] : []),
  ];
  return allowed.some((prefix) => target.startsWith(prefix))
    ? undefined
    : "an engine imports rows 0 and 1 and its host";
}

const files = globSync("**/*.ts", { cwd: source }).map((path) => path.replaceAll("\\", "/"));
const modules = files.filter((path) => !path.endsWith(".test.ts") && !path.includes("/__fixtures__/"));

describe("the rows of src/", () => {
  test("a module imports only from its own folder or from a lower row", () => {
    const found = modules.flatMap((file) => readImports(file, readFileSync(join(source, file), "utf8")));
    expect(found.length).toBeGreaterThan(100);
    const wrong = found.flatMap((item) => {
      const reason = judge(item);
      return reason === undefined ? [] : [`${item.file} imports ${item.target}: ${reason}`];
    });
    expect(wrong).toEqual([]);
  });

  test("only config/ and cli.ts read the environment", () => {
    const readers = modules
      .filter((file) => readFileSync(join(source, file), "utf8").includes("process.env"))
      .filter((file) => top(file) !== "config" && file !== "cli.ts");
    expect(readers).toEqual([]);
  });

  test("native code is named only in the engine that uses it and in the bench that compares with it", () => {
    const users = modules.filter((file) => /["']node-llama-cpp["']/.test(readFileSync(join(source, file), "utf8")));
    expect(users.filter((file) => !/^(engines|bench)\//.test(file))).toEqual([]);
  });

  test.each([
    ["an upward import", "models/store.ts", 'import { x } from "../tasks/chat.ts";'],
    ["an upward type import", "spec/model.ts", 'import type { X } from "../config/settings.ts";'],
    ["an upward import() of a type", "runtime/pool.ts", 'type X = import("../server/index.ts").X;'],
    ["an upward re-export", "formats/detect.ts", 'export { x } from "../models/store.ts";'],
    ["a sideways import", "models/store.ts", 'import { x } from "../hardware/memory.ts";'],
    ["a client that wants more than the words", "client/index.ts", 'import { x } from "../config/settings.ts";'],
    ["an engine that looks into another", "engines/llama/engine.ts", 'import { x } from "../fake/engine.ts";'],
    ["an engine that asks the registry", "engines/llama/engine.ts", 'import { x } from "../registry.ts";'],
    ["a folder without a row", "extras/a.ts", 'import { x } from "../util/abort.ts";'],
    ["an import from outside src/", "util/a.ts", 'import { x } from "../../test/setup.ts";'],
  ])("the test above would notice %s", (_name, file, text) => {
    expect(readImports(file, text).map(judge)).not.toEqual([undefined]);
    expect(readImports(file, text)).toHaveLength(1);
  });

  test.each([
    ["the own folder", "models/store.ts", 'import { x } from "./names.ts";'],
    ["a lower row", "tasks/chat.ts", 'import { x } from "../runtime/contract.ts";'],
    ["the host of the engines", "engines/llama/engine.ts", 'import { x } from "../host/parent.ts";'],
    ["row 0 from the client", "client/index.ts", 'import type { X } from "../spec/event.ts";'],
  ])("%s is allowed", (_name, file, text) => {
    expect(readImports(file, text).map(judge)).toEqual([undefined]);
  });
});

test("file names are kebab-case", () => {
  const wrong = files.filter((path) => !/^[a-z0-9-]+(\.[a-z0-9-]+)*\.ts$/.test(relative(dirname(path), path)));
  expect(wrong).toEqual([]);
});
