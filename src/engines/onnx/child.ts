/** The process that ONNX Runtime runs in. */
import { serveEngine } from "../host/serve.ts";
import { createNativeOnnx } from "./native.ts";
import type { OnnxSetup } from "./setup.ts";

serveEngine((setup, notice) => createNativeOnnx(setup as OnnxSetup, notice));
