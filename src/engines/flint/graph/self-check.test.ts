import { expect, it } from "vitest";
import { fixtureBytes, findFixture } from "../__fixtures__/fixtures.ts";
import { parseGguf } from "../../../formats/gguf/parse.ts";
import { checkModel } from "../check.ts";
import { func } from "../kernels/wasm/code.ts";
import { encodeModule } from "../kernels/wasm/module.ts";
import { prepare } from "../prepare.ts";
import { checkKernels } from "./self-check.ts";

const file = parseGguf(fixtureBytes(findFixture("llama")), { name: "llama" });
const prepared = prepare(file, checkModel(file, 64), { contextTokens: 64, parallel: 1, workers: 1, batchTokens: 8 });
const compiled = new WebAssembly.Module(prepared.kernels());

it("trusts kernels that compute what plain arithmetic does", () => {
  expect(() => checkKernels(prepared.setup.plan, compiled)).not.toThrow();
});

it("refuses kernels that leave their results unwritten", () => {
  const names = WebAssembly.Module.exports(compiled).map(({ name }) => name);
  const idle = names.map((name) =>
    func(name, (scope) => {
      for (let index = 0; index < 5; index++) scope.param("i32");
      return [];
    }),
  );
  const module = new WebAssembly.Module(encodeModule({ memories: 1, functions: idle }));
  expect(() => checkKernels(prepared.setup.plan, module)).toThrow(/kernel of flint/);
});
