import { defineConfig, type ViteUserConfigExport } from "vitest/config";

/** Test projects by file suffix; see AGENTS.md, "Tests". */
const include = ["src/**/*.test.ts", "test/**/*.test.ts"];
const native = ["**/*.native.test.ts"];
const gpu = ["**/*.gpu.test.ts"];

const config: ViteUserConfigExport = defineConfig({
  test: {
    setupFiles: ["test/setup.ts"],
    projects: [
      {
        extends: true,
        // By default one core is left free, which on two cores leaves one.
        test: { name: "fast", include, exclude: [...native, ...gpu], testTimeout: 10_000, maxWorkers: "100%" },
      },
      {
        extends: true,
        test: {
          name: "native",
          include: ["src/**/*.native.test.ts", "test/**/*.native.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 600_000,
          // One model at a time: they share the cores.
          fileParallelism: false,
          maxWorkers: 1,
        },
      },
      { extends: true, test: { name: "gpu", include: ["src/**/*.gpu.test.ts"], testTimeout: 180_000 } },
    ],
  },
});

export default config;
