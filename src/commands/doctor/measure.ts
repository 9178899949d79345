import { loadavg } from "node:os";
import { engineEnvironment } from "../../config/environment.ts";
import { measurePeak } from "../../engines/flint/roofline/measure.ts";
import { measureReadBandwidth } from "../../hardware/bandwidth.ts";
import type { Roofline } from "../services.ts";

/** One after the other: each would disturb the next. */
export async function measureRoofline(threads: number, signal: AbortSignal): Promise<Roofline> {
  const [machineLoad = 0] = loadavg();
  const oneThread = (await measureReadBandwidth({ threads: 1, signal }))?.bytesPerSecond;
  const allThreads = (await measureReadBandwidth({ threads, signal }))?.bytesPerSecond;
  const peak = await measurePeak({ threads, env: engineEnvironment(), signal });
  return { threads, machineLoad, read: { oneThread, allThreads }, peak };
}
