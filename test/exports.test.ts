/** The public API by name. A change shows up as a change of the snapshot, and so in the review. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** Names that a module exports, values and types alike, sorted. `export *` is shown as it stands. */
function exportedNames(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const declared = [...code.matchAll(/^export (?:declare )?(?:async )?(?:abstract )?(\w+\*?) (\w+)/gm)].map(
    ([, kind, name]) => `${kind ?? ""} ${name ?? ""}`,
  );
  const listed = [...code.matchAll(/^export (type )?\{([^}]*)\}/gm)].flatMap(([, type, list]) =>
    (list ?? "")
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "")
      .map((item) => `${type ?? ""}${item.replace(/^(type )?.* as /, "$1")}`),
  );
  const stars = [...code.matchAll(/^export (?:type )?\* .*$/gm)].map(([line]) => line);
  return [...declared, ...listed, ...stars].sort();
}

test.each(["index.ts", "spec/engine.ts", "server/index.ts", "client/index.ts"])(
  "src/%s exports what it did",
  (file) => {
    const names = exportedNames(readFileSync(new URL(`../src/${file}`, import.meta.url), "utf8"));
    expect(names.length).toBeGreaterThan(0);
    expect(names).toMatchSnapshot();
  },
);

test("the names are read from every form of export", () => {
  const text = [
    "export function a(): void {}",
    "export async function b() {}",
    "export const c = 1;",
    "export interface D {}",
    "export type E = 1;",
    'export { f, type G, h as i } from "./x.ts";',
    'export type { J } from "./x.ts";',
    "// export const no = 1;",
  ].join("\n");
  expect(exportedNames(text)).toEqual([
    "const c",
    "f",
    "function a",
    "function b",
    "i",
    "interface D",
    "type E",
    "type G",
    "type J",
  ]);
});
