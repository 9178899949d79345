/** The examples are programs: each is started as a person would start it. Starting them is too slow for the fast tests. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { examplesFolder, runExample } from "./run-example.ts";

const names = readdirSync(examplesFolder).filter((name) => name.endsWith(".ts"));

describe("the examples", () => {
  it("are there", () => {
    expect(names).toEqual(["chat.ts", "many.ts", "pull.ts", "similarity.ts", "stream.ts", "tools.ts"]);
  });

  it.for(names)("%s says what is wrong with a model that does not exist", async (name) => {
    const { code, output } = await runExample(name, ["no-such-model"]);
    expect(output).toContain("no-such-model");
    expect(output).toContain("HearthError");
    expect(code).toBe(1);
  });
});
