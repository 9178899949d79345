/** The process that flint runs in. */
import { setFlagsFromString } from "node:v8";
import type { Engine } from "../../spec/engine.ts";
import { serveEngine } from "../host/serve.ts";
import type { FlintSetup } from "./engine.ts";
import { createLocalFlint } from "./local.ts";

// All kernels are compiled while the weights are read: the first token would wait for them.
setFlagsFromString("--no-wasm-lazy-compilation");

/** Time for the errors of the requests to reach the parent. */
const farewellMs = 100;

serveEngine((setup, notice) => endingWithModel(createLocalFlint(notice, setup as FlintSetup)));

/** Without its threads the process is of no use: it ends, so that its parent notices and loads the model again. */
function endingWithModel(engine: Engine): Engine {
  return {
    ...engine,
    async load(model, options, call) {
      const loaded = await engine.load(model, options, call);
      void loaded.died.then(() => setTimeout(() => process.exit(1), farewellMs));
      return loaded;
    },
  };
}
