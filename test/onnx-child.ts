// A process that loads each model it is told of in ONNX Runtime, as the engine's child does, and runs it once. Answers
// with what came of it, so that its parent knows which one killed it.
import { describeOnnx } from "../src/models/describe-onnx.ts";
import { createNativeOnnx } from "../src/engines/onnx/native.ts";
import { probeFeeds } from "../src/engines/onnx/probe.ts";
import { onnxLibrary } from "../src/engines/onnx/setup.ts";

const engine = createNativeOnnx({ library: onnxLibrary(process.argv[2] ?? "") }, () => {});

async function use(path: string): Promise<string> {
  const info = describeOnnx(path);
  const loaded = await engine.load({ name: "mutant", path, info }, { threads: 1, device: "cpu" });
  try {
    const inputs = probeFeeds(info.signature?.inputs ?? [], 2);
    await loaded.perform?.("infer", { inputs: inputs ?? {} });
    return "ran";
  } finally {
    await loaded.dispose();
  }
}

process.on("message", (path: string) => {
  void use(path).then(
    (outcome) => process.send?.(outcome),
    (error: unknown) =>
      process.send?.(`${error instanceof Error && "code" in error ? String(error.code) : "unknown"}: ${String(error)}`),
  );
});
process.send?.("ready");
