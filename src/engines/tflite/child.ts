/** The process that LiteRT runs in. */
import { serveEngine } from "../host/serve.ts";
import { createNativeTflite } from "./native.ts";
import type { TfliteSetup } from "./setup.ts";

serveEngine((setup, notice) => createNativeTflite(setup as TfliteSetup, notice));
