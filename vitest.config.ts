import { defineConfig, type ViteUserConfigExport } from "vitest/config";

/** Test projects by file suffix; see AGENTS.md, "Tests". */
const include = ["src/**/*.test.ts", "test/**/*.test.ts"];
const native = ["**/*.native.test.ts"];
const gpu = ["**/*.gpu.test.ts"];
/** Fast tests that set flags of V8, or count on modules of their own: a process for each file. */
const alone = [
  "src/engines/flint/kernels/wasm/*.test.ts",
  "src/compress/train/multiply.test.ts",
  "src/compress/distill/likeliest.test.ts",
];
/** Native tests that measure no time and use one core each, or mostly wait: two files at a time. */
const pair = [
  "src/models/*.native.test.ts",
  "src/formats/**/*.native.test.ts",
  "src/compress/kill.native.test.ts",
  "src/compress/convert/*.native.test.ts",
  "src/compress/train/*.native.test.ts",
  "src/compress/calibrate/*.native.test.ts",
  "src/compress/study.native.test.ts",
  "src/engines/flint/tokenizer/*.native.test.ts",
  "src/engines/flint/{checkpoint,draft,golden,parity,types}.native.test.ts",
  "src/engines/llama/{behaviour,cache}.native.test.ts",
  "src/engines/flint/adapters/adapt.native.test.ts",
  "src/engines/flint/{architectures,graph,kernels,pictures,sampling,vision}/**/*.native.test.ts",
  "src/engines/onnx/{fuzz,generate-tiny,hub,tasks-tiny,wasm}.native.test.ts",
  "src/runtime/property.native.test.ts",
  "src/server/matrix.native.test.ts",
  "test/cli/{compress,distill,prune}.native.test.ts",
];
const nativeTimeouts = { testTimeout: 180_000, hookTimeout: 600_000 } as const;

// By default one core is left free, which on two cores leaves one.
const fast = { testTimeout: 10_000, maxWorkers: "100%" } as const;

const config: ViteUserConfigExport = defineConfig({
  test: {
    setupFiles: ["test/setup.ts"],
    projects: [
      {
        extends: true,
        // To read the modules anew for each file takes as long as the tests themselves.
        test: { ...fast, name: "fast", include, exclude: [...native, ...gpu, ...alone], isolate: false },
      },
      {
        extends: true,
        test: { ...fast, name: "alone", include: alone, exclude: native, provide: { alone: true } },
      },
      {
        extends: true,
        test: {
          name: "native",
          include: ["src/**/*.native.test.ts", "test/**/*.native.test.ts"],
          exclude: pair,
          ...nativeTimeouts,
          provide: { alone: true },
          // One model at a time: they share the cores.
          fileParallelism: false,
          maxWorkers: 1,
        },
      },
      {
        extends: true,
        test: { name: "pair", include: pair, ...nativeTimeouts, provide: { alone: true }, maxWorkers: 2 },
      },
      { extends: true, test: { name: "gpu", include: ["src/**/*.gpu.test.ts"], testTimeout: 180_000 } },
    ],
  },
});

export default config;
