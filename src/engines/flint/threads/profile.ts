/** Where the time of a step goes, by kind of work. */
import type { Plan } from "../graph/plan.ts";
import { opsOf } from "../graph/stages.ts";
import type { Stage } from "../graph/stages.ts";
import type { ProfileRow } from "./protocol.ts";

export function profileRows(plan: Plan, stageMs: Float64Array): ProfileRow[] {
  const sums = new Map<string, number>();
  plan.stages.forEach((stage, index) => {
    const what = describe(stage, plan);
    sums.set(what, (sums.get(what) ?? 0) + (stageMs[index] ?? 0));
  });
  return [...sums].map(([what, ms]) => ({ what, ms })).sort((a, b) => b.ms - a.ms);
}

function describe(stage: Stage, { matrices }: Plan): string {
  if (stage.kind === "transfer") return "transfer";
  if (stage.kind !== "matmul")
    return opsOf(stage)
      .map((op) => op.kind)
      .join(" + ");
  const names = stage.ops.map(({ weight }) => {
    const type = matrices[weight.name]?.type ?? "";
    return `${weight.name.replace(/^blk\.\d+\./, "").replace(/\.weight$/, "")} (${type} ${weight.n}×${weight.k})`;
  });
  return names.join(" + ");
}
