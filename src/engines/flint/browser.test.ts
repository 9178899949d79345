/** What a page imports must load in a browser. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** Every module that `entry` brings in, with what is imported by a bare name; imports of types are gone by then. */
function walk(entry: URL): { readonly modules: readonly string[]; readonly bare: readonly string[] } {
  const modules = new Set<string>();
  const bare = new Set<string>();
  const visit = (url: URL): void => {
    if (modules.has(url.href)) return;
    modules.add(url.href);
    for (const name of importsOf(readFileSync(url, "utf8"))) {
      if (name.startsWith(".")) visit(new URL(name, url));
      else bare.add(`${name} in ${fileURLToPath(url).split("/src/")[1] ?? url.href}`);
    }
  };
  visit(entry);
  return { modules: [...modules], bare: [...bare] };
}

function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const pattern =
    /^\s*(?:import|export)\s+(?!type\b)(?:[^;"']*?\bfrom\s*)?["']([^"']+)["']|\bimport\s*\(\s*["']([^"']+)["']/gm;
  return [...code.matchAll(pattern)].flatMap((match) => match[1] ?? match[2] ?? []);
}

test("the walk sees what a module imports, and not what only its types need", () => {
  const text = [
    'import { a } from "./a.ts";',
    'import type { B } from "./b.ts";',
    'import "./c.ts";',
    'export { d } from "node:d";',
    'const e = await import("./e.ts");',
    '// import { f } from "./f.ts";',
    'import {\n  g,\n} from "./g.ts";',
  ].join("\n");
  expect(importsOf(text).sort()).toEqual(["./a.ts", "./c.ts", "./e.ts", "./g.ts", "node:d"]);
});

test.each(["browser.ts", "threads/web-worker.ts"])("%s and all that it imports load in a browser", (entry) => {
  const { modules, bare } = walk(new URL(entry, import.meta.url));
  expect(modules.length).toBeGreaterThan(20);
  expect(bare).toEqual([]);
});

test("the example page needs nothing but the template engine besides", () => {
  const { bare } = walk(new URL("../../../examples/browser/page.ts", import.meta.url));
  expect(bare).toEqual(["@huggingface/jinja in chat/jinja.ts"]);
});
