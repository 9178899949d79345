import type { InstalledModel } from "../../spec/model.ts";
import type { Context } from "../command.ts";
import type { BenchFlags } from "./flags.ts";
import { peerOfText } from "./task.ts";

type Given = Omit<Context, "flags"> & { readonly flags: BenchFlags };

/** `hearth bench serve MODEL`. What was started is stopped before this returns, also after Ctrl-C. */
export async function benchServe(context: Given, model: InstalledModel): Promise<void> {
  const { flags, json, services, settings, signal, status } = context;
  const vs = peerOfText(flags, "a server");
  const peerModule = vs === undefined ? undefined : await (await services.packs(settings)).peerModule();
  const report = await services.runServeBench({
    hearth: await context.hearth(),
    model: model.name,
    program: [process.execPath, ...process.execArgv, process.argv[1] ?? ""],
    signal,
    onProgress(line) {
      status.note(line);
    },
    ...(vs !== undefined && { vs }),
    ...(peerModule !== undefined && { peerModule }),
    ...(flags["llama-server"] !== undefined && { llamaServer: flags["llama-server"] }),
    ...(flags.only && { only: flags.only }),
    ...(flags.runs !== undefined && { runs: flags.runs }),
    ...(flags.requests !== undefined && { mixedRequests: flags.requests }),
  });
  if (json) context.writeJson(report);
  else context.io.stdout.write(`${await services.formatServeReport(report)}\n`);
}
