/** What a worker runs: one runner for each stage of the plan. */
import { attendRunner } from "./attend.ts";
import type { Kernels, StageRunner } from "./matrices.ts";
import { matmulRunner } from "./matrices.ts";
import type { Plan } from "./plan.ts";
import { routeRunner } from "./route.ts";
import { rowRunner } from "./rows.ts";
import type { Stage } from "./stages.ts";

export interface RunnerOptions {
  readonly plan: Plan;
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly index: number;
  readonly workers: number;
}

export function createRunners({ plan, memory, module, index, workers }: RunnerOptions): StageRunner[] {
  const instance = new WebAssembly.Instance(module, { memory: { "0": memory } });
  const kernels = instance.exports as Kernels;
  const scratch = plan.scratch + index * plan.scratchBytes;
  const context = { plan, memory, kernels, workers, scratch };
  return plan.stages.map((stage: Stage): StageRunner => {
    switch (stage.kind) {
      case "rows":
        return rowRunner(stage, context);
      case "matmul":
        return matmulRunner(stage.ops, plan, context);
      case "attend":
        return attendRunner(stage.op, context);
      case "route":
        return routeRunner(stage, context);
    }
  });
}
