/** The process that llama.cpp runs in. */
import { serveEngine } from "../host/serve.ts";
import { createNativeLlama } from "./native.ts";
import type { LlamaSetup } from "./setup.ts";

serveEngine((setup, notice) => createNativeLlama(setup as LlamaSetup, notice));
