/** The process that sherpa-onnx runs in. */
import { serveEngine } from "../host/serve.ts";
import { createNativeSpeech } from "./native.ts";
import type { SpeechSetup } from "./setup.ts";

serveEngine((setup) => createNativeSpeech(setup as SpeechSetup));
