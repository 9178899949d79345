/** What a worker runs: one runner for each stage of the plan. */
import { attendRunner } from "./attend.ts";
import type { Kernels, StageRunner } from "./runner.ts";
import { matmulRunner } from "./matrices.ts";
import type { Plan } from "./plan.ts";
import { routeRunner } from "./route.ts";
import type { RowContext } from "./rows.ts";
import { rowRunner } from "./rows.ts";
import type { Stage } from "./stages.ts";
import { transferRunner } from "./transfer.ts";

export interface RunnerOptions {
  readonly plan: Plan;
  /** One for each bank. */
  readonly memories: readonly WebAssembly.Memory[];
  readonly module: WebAssembly.Module;
  readonly index: number;
  readonly workers: number;
}

export function createRunners({ plan, memories, module, index, workers }: RunnerOptions): StageRunner[] {
  const scratch = plan.scratch + index * plan.scratchBytes;
  const contexts = memories.map((memory): RowContext => {
    const kernels = new WebAssembly.Instance(module, { memory: { "0": memory } }).exports as Kernels;
    return { plan, memory, kernels, workers, scratch, index };
  });
  return plan.stages.map((stage: Stage): StageRunner => {
    const context = contexts[stage.bank];
    const [first] = memories;
    if (!context || !first) throw new RangeError(`no bank ${stage.bank}`);
    switch (stage.kind) {
      case "rows":
        return rowRunner(stage, context);
      case "matmul":
        return matmulRunner(stage.ops, plan, context);
      case "attend":
        return attendRunner(stage.op, context);
      case "route":
        return routeRunner(stage, context, first);
      case "transfer":
        return transferRunner(stage, plan, memories);
    }
  });
}
