import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { renderDocs } from "../scripts/docs.ts";
import { settingsTable } from "../src/config/settings.ts";
import { errorCodes } from "../src/error.ts";

const folder = new URL("../docs/reference/", import.meta.url);
const docs = await renderDocs();

describe("docs/reference", () => {
  test.each(Object.keys(docs))("%s is what the tables say; `node scripts/docs.ts` writes it", (name) => {
    expect(readFileSync(new URL(name, folder), "utf8")).toBe(docs[name]);
  });

  test("nothing else lies there", () => {
    expect(readdirSync(folder).sort()).toEqual(Object.keys(docs).sort());
  });

  test.each(Object.values(settingsTable).map((row) => [row.flag, row.env]))("--%s is explained once", (flag, env) => {
    const lines = docs["settings.md"]?.split("\n").filter((line) => line.startsWith(`| \`--${flag}\` |`));
    expect(lines).toHaveLength(1);
    expect(lines?.[0]).toContain(env);
  });

  test.each(Object.keys(errorCodes))("%s is explained once", (code) => {
    expect(docs["errors.md"]?.split("\n").filter((line) => line.startsWith(`| \`${code}\` |`))).toHaveLength(1);
  });
});
