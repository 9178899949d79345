import { randomInt } from "node:crypto";
import { resolve, sep } from "node:path";
import { describe, expect, test } from "vitest";
import { HearthError } from "../error.ts";
import { manifestPath } from "./manifests.ts";
import { parseDigest } from "./names.ts";
import { storeName } from "./naming.ts";
import { formatReference, parseName, parseReference } from "./reference.ts";
import { blobPath, storeFolders } from "./store.ts";

const noFile = (): boolean => false;

describe("what people type", () => {
  test.each([
    ["tinyllama", { kind: "name", name: "tinyllama", tag: "latest" }],
    ["qwen3:0.6b", { kind: "name", name: "qwen3", tag: "0.6b" }],
    ["me/mine:v1.2", { kind: "name", name: "me/mine", tag: "v1.2" }],
    ["hf:owner/repo", { kind: "hf", repo: "owner/repo" }],
    ["hf:owner/repo/sub/x.Q4_0.gguf@v1", { kind: "hf", repo: "owner/repo", file: "sub/x.Q4_0.gguf", revision: "v1" }],
    ["hf:owner/repo@refs/pr/3", { kind: "hf", repo: "owner/repo", revision: "refs/pr/3" }],
    ["hf.co/owner/repo:Q4_K_M", { kind: "hf", repo: "owner/repo", quantization: "Q4_K_M" }],
    ["huggingface.co/owner/repo", { kind: "hf", repo: "owner/repo" }],
    ["hf:owner/repo:q4_k_m", { kind: "hf", repo: "owner/repo", quantization: "Q4_K_M" }],
    ["hf.co/owner/repo:latest", { kind: "hf", repo: "owner/repo" }],
    ["ollama:llama3.2:1b", { kind: "ollama", name: "llama3.2", tag: "1b" }],
    ["ollama:llama3.2", { kind: "ollama", name: "llama3.2", tag: "latest" }],
    ["npm:weights", { kind: "npm", package: "weights" }],
    [
      "npm:@scope/w.x@1.0.0-rc.1/a/b.gguf",
      { kind: "npm", package: "@scope/w.x", version: "1.0.0-rc.1", file: "a/b.gguf" },
    ],
    ["https://example.com/a/m.gguf?x=1#y", { kind: "https", url: "https://example.com/a/m.gguf?x=1" }],
    ["./m.gguf", { kind: "path", path: "./m.gguf" }],
    ["/m.gguf", { kind: "path", path: "/m.gguf" }],
    ["~/m.gguf", { kind: "path", path: "~/m.gguf" }],
    ["../m", { kind: "path", path: "../m" }],
    ["C:\\models\\m.gguf", { kind: "path", path: "C:\\models\\m.gguf" }],
  ])("%s is understood", (text, expected) => {
    expect(parseReference(text, noFile)).toEqual(expected);
  });

  test("the name of a model file that exists is a path, any other name is not", () => {
    expect(parseReference("m.gguf", () => true)).toEqual({ kind: "path", path: "m.gguf" });
    expect(parseReference("m.gguf", noFile)).toEqual({ kind: "name", name: "m.gguf", tag: "latest" });
    expect(parseReference("tinyllama", () => true).kind).toBe("name");
  });

  test.each([
    "hf:o/r/f.gguf@abc",
    "hf:o/r:Q8_0@main",
    "ollama:a/b:c",
    "npm:@s/p@1/x/y",
    "npm:p",
    "a/b:c",
    "https://x.y/z",
  ])("%s is written as it was read", (text) => {
    expect(formatReference(parseReference(text, noFile))).toBe(text);
  });

  test.each([
    "",
    " ",
    ":",
    "a:",
    ":b",
    "a:b:c",
    "a//b",
    "/../x:y/..:",
    "-a",
    ".a",
    "a/..",
    "a/../b",
    "a..b",
    "a\\b",
    "a\0b",
    "a\nb",
    "hf:",
    "hf:owner",
    "hf:owner/",
    "hf:/repo",
    "hf:o/r/../x",
    "hf:o/r/%2e%2e/x",
    "hf:o/r/a\\b",
    "hf:o/r@",
    "hf:o/r@../x",
    "hf:o/r@a..b",
    "hf:o/r/.git/config",
    "hf:o/r:Q4:Q5",
    "hf:o/r/x.gguf:Q4",
    "npm:",
    "npm:../x",
    "npm:Upper",
    "npm:-flag",
    "npm:a@1 2",
    "npm:a@^1",
    "npm:a@1/../../x",
    "npm:a/b//c",
    "npm:@scope",
    "ollama:",
    "ollama:../x:y",
    "ollama:a:b/c",
    "https://",
    "https://user:key@host/x",
    "con",
    "nul:x",
    "a/aux.b",
    "com1:x",
    "a:lpt9",
    "a.",
    "a/b.:c",
    "é",
    "a b",
    "a‥b",
    "x".repeat(161),
    `a:${"t".repeat(101)}`,
    `hf:o/${"r".repeat(200)}`,
    `hf:o/r/${"f".repeat(401)}`,
    "y".repeat(3000),
  ])("%j is refused, and the message says what is wrong with it", (text) => {
    const attempt = (): unknown => {
      const reference = parseReference(text, noFile);
      // Paths are the person's own business: they never lead into the store.
      if (reference.kind === "path") throw new HearthError("bad_request", "path");
      return reference;
    };
    expect(attempt).toThrow(expect.objectContaining({ code: "bad_request" }));
  });
});

describe("no text leads outside the store", () => {
  const folders = storeFolders("/data");
  const pieces = [
    "..",
    ".",
    "/",
    "\\",
    "\0",
    "%2e%2e",
    "%2f",
    "C:",
    "//server/share",
    "‥",
    "․․",
    "．．",
    "／",
    "~",
    ":",
    "@",
    "hf:",
    "hf.co/",
    "npm:",
    "ollama:",
    "@scope/",
    "a",
    "B",
    "0",
    "-",
    "_",
    "con",
    "nul",
    "\n",
    "\u202e",
    " ",
    "sha256:",
    "sha256-",
    "f".repeat(63),
    "f".repeat(64),
    "f".repeat(65),
    "é",
    "ß",
    "\ud800",
    "?",
    "#",
    "*",
    "$(id)",
    "${HOME}",
    ".json",
    "x.gguf",
    "https://h/",
    "&&",
  ];
  const random = (): string => Array.from({ length: randomInt(1, 7) }, () => pieces[randomInt(pieces.length)]).join("");

  /** The name that the store would use, or undefined for texts that are refused, and for paths. */
  const nameOf = (text: string): { name: string; tag: string } | undefined => {
    try {
      const reference = parseReference(text, noFile);
      return reference.kind === "path" ? undefined : storeName(reference, random());
    } catch (error) {
      if (error instanceof HearthError && error.code === "bad_request") return undefined;
      throw error;
    }
  };

  test("names, tags and sources of 30,000 strange texts", () => {
    let accepted = 0;
    const wrong: object[] = [];
    for (let round = 0; round < 30_000; round++) {
      const text = random();
      const name = nameOf(text);
      if (!name) continue;
      accepted++;
      const path = manifestPath(folders, name.name, name.tag);
      // Two plain words below the folder: nothing that a shell, Windows or a URL would read differently.
      const below = /^\/data\/models\/manifests(\/[a-z0-9_][a-z0-9._%-]*\/[a-z0-9_][a-z0-9._-]*\.json)$/.exec(
        path,
      )?.[1];
      const again = parseName(`${name.name}:${name.tag}`);
      const isSame = again.name === name.name && again.tag === name.tag;
      if (resolve(path) !== path || below?.split(sep).length !== 3 || !isSame) wrong.push({ text, path, again });
    }
    expect(wrong).toEqual([]);
    expect(accepted).toBeGreaterThan(1000);
  });

  test("digests are 64 lower-case hex digits or nothing", () => {
    const pathOf = (text: string): string => {
      try {
        return blobPath(folders, text);
      } catch (error) {
        return error instanceof HearthError ? "refused" : "crashed";
      }
    };
    const accepted = Array.from({ length: 45_000 }, () => pathOf(random())).filter((path) => path !== "refused");
    expect(accepted.length).toBeGreaterThan(100);
    expect(accepted.filter((path) => !/^\/data\/models\/blobs\/sha256-[0-9a-f]{64}$/.test(path))).toEqual([]);
    expect(parseDigest(`sha256:${"a".repeat(64)}`)).toBe("a".repeat(64));
    for (const text of [
      `sha256:${"A".repeat(64)}`,
      "a".repeat(63),
      "a".repeat(65),
      `../${"a".repeat(64)}`,
      `${"a".repeat(64)}\n`,
      1,
      null,
    ]) {
      expect(parseDigest(text)).toBeUndefined();
    }
  });
});
