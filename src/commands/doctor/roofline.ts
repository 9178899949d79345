/** `hearth doctor --roofline`: what the machine can do, and what that bounds for a model. */
import type { ModelWork } from "../../engines/flint/roofline/work.ts";
import { formatBytes } from "../../util/format.ts";
import type { Context } from "../command.ts";
import type { Roofline } from "../services.ts";

export interface ModelBounds extends ModelWork {
  readonly model: string;
  /** By memory bandwidth. */
  readonly decodeTokensPerSecond: number | undefined;
  /** By the integer peak. */
  readonly prefillTokensPerSecond: number | undefined;
}

/** Load average above which figures are noisy. */
const busyLoad = 0.5;

export async function runRoofline(context: Context, name: string | undefined): Promise<void> {
  const { services, settings, signal } = context;
  const model = name === undefined ? undefined : await (await context.hearth()).library.resolve(name);
  const path = model?.files.find(({ role }) => role === "weights")?.path;
  const work = model && path !== undefined ? await services.modelWork(path, model.name) : undefined;
  const roofline = await services.roofline({ threads: settings.threads, signal });
  const bounds = model && work ? boundsOf(model.name, work, roofline) : undefined;
  if (context.json) context.writeJson({ ...roofline, ...(bounds && { bounds }) });
  else context.io.stdout.write(`${formatRoofline(roofline, bounds)}\n`);
  if (roofline.machineLoad > busyLoad) {
    const load = roofline.machineLoad.toFixed(1);
    context.status.note(`The machine was busy (load average ${load}): a quiet one reaches more.`);
  }
}

function boundsOf(model: string, work: ModelWork, { read, peak }: Roofline): ModelBounds {
  const most = peak && Math.max(peak.pairs.allThreads, peak.quads.allThreads);
  return {
    model,
    ...work,
    decodeTokensPerSecond: read.allThreads && read.allThreads / work.decodeBytes,
    prefillTokensPerSecond: most && most / work.prefillOperations,
  };
}

function formatRoofline({ threads, read, peak }: Roofline, bounds: ModelBounds | undefined): string {
  const row = (label: string, unit: string, rates: Rates | undefined): string =>
    `${label.padEnd(26)} ${rate(rates?.oneThread, unit)}   ${rate(rates?.allThreads, unit)}`;
  const all = `${threads} ${threads === 1 ? "thread" : "threads"}`;
  return [
    `${"".padEnd(26)} ${"1 thread".padStart(13)}   ${all.padStart(13)}`,
    row("memory read", "GB/s", read),
    row("int8 dot, pairs in 16 bit", "GOP/s", peak?.pairs),
    row("int8 dot, fours in 32 bit", "GOP/s", peak?.quads),
    ...(bounds ? formatBounds(bounds) : []),
  ].join("\n");
}

interface Rates {
  readonly oneThread: number | undefined;
  readonly allThreads: number | undefined;
}

function rate(perSecond: number | undefined, unit: string): string {
  return `${perSecond === undefined ? "-" : (perSecond / 1e9).toFixed(1)} ${unit}`.padStart(13);
}

function formatBounds(bounds: ModelBounds): string[] {
  const { decodeBytes, prefillOperations, decodeTokensPerSecond, prefillTokensPerSecond } = bounds;
  const tokens = (value: number | undefined): string => (value === undefined ? "-" : value.toFixed(1));
  return [
    "",
    `${bounds.model} on flint, at most, without attention:`,
    `decode   ${tokens(decodeTokensPerSecond)} tokens/s: a token reads ${formatBytes(decodeBytes)} of weights`,
    `prefill  ${tokens(prefillTokensPerSecond)} tokens/s: a token takes ${(prefillOperations / 1e9).toFixed(2)} billion operations`,
  ];
}
