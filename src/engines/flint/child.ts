/** The process that flint runs in. */
import { serveEngine } from "../host/serve.ts";
import { createLocalFlint } from "./local.ts";

serveEngine((_setup, notice) => createLocalFlint(notice));
