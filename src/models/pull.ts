import { createHash } from "node:crypto";
import { join } from "node:path";
import { HearthError, isAbort } from "../error.ts";
import type { InstalledModel, Progress } from "../spec/model.ts";
import type { Catalog } from "./catalog.ts";
import type { LibraryContext } from "./context.ts";
import type { ModelLibrary, PullOptions } from "./contract.ts";
import { install } from "./install.ts";
import { makeView } from "./installed.ts";
import { takeInventory } from "./list.ts";
import { withLock } from "./lock.ts";
import { planPull, type PullPlan } from "./plan.ts";
import { findModel } from "./resolve.ts";
import { createSharing } from "./share.ts";
import { describeSource, fetchSource } from "./sources/fetch.ts";
import type { Reporter } from "./sources/source.ts";
import { makeStore } from "./store.ts";
import { sweepStaging } from "./sweep.ts";

/** Makes the verb `pull`: a model that is here is returned at once, calls for one model share one transfer. */
export function createPuller(context: LibraryContext, catalog: Catalog): ModelLibrary["pull"] {
  const sharing = createSharing<InstalledModel>();
  return async (text, options = {}) => {
    const find = async (): Promise<InstalledModel | undefined> => {
      const model = await findModel(context, { catalog, inventory: await takeInventory(context), text });
      if (model) await makeView(context.folders, model);
      return model;
    };
    const here = await find();
    if (here) return done(here, options);
    const plan = planPull(context, catalog, text);
    if (context.settings.offline) {
      throw new HearthError("offline", `"${text}" is not installed, and hearth is set to open no connection.`, {
        hint: "Unset HEARTH_OFFLINE, or give a path to a file you already have.",
      });
    }
    try {
      const model = await sharing.join(
        plan.key,
        throttled(options),
        async (reporter) => await pullOnce(context, { plan, find, reporter }),
      );
      return done(model, options);
    } catch (error) {
      if (!isAbort(error)) throw error;
      throw new HearthError("aborted", `The pull of "${text}" was stopped.`, {
        cause: error,
        hint: "Start it again: it goes on where it stopped.",
      });
    }
  };
}

interface Work {
  readonly plan: PullPlan;
  readonly find: () => Promise<InstalledModel | undefined>;
  readonly reporter: Reporter;
}

/** One pull of a model at a time, also between processes. Whoever waited finds it installed. */
async function pullOnce(context: LibraryContext, { plan, find, reporter }: Work): Promise<InstalledModel> {
  await makeStore(context.folders);
  await sweepStaging(context.folders);
  const lock = join(context.folders.staging, `${createHash("sha256").update(plan.key).digest("hex")}.pull.lock`);
  const onWait = (progress: Progress | undefined): void => {
    if (progress) reporter.report(progress);
  };
  return await withLock(lock, { signal: reporter.signal, onWait }, async (held) => {
    const report = (progress: Progress): void => {
      reporter.report(progress);
      held.report(progress);
    };
    return (await find()) ?? (await trySources(context, plan, { signal: reporter.signal, report }));
  });
}

/** The sources in their order; the next one is tried when one does not answer or does not have it. */
async function trySources(context: LibraryContext, plan: PullPlan, reporter: Reporter): Promise<InstalledModel> {
  const failures: { source: string; error: HearthError }[] = [];
  for (const source of plan.sources) {
    const last = failures.at(-1);
    const name = describeSource(source);
    if (last) reporter.report({ phase: "resolve", label: `${last.error.message} Using ${name}.`, completedBytes: 0 });
    try {
      // The last source gets patience: there is nothing left to try.
      const patience = source === plan.sources.at(-1) ? context.stallTimeoutMs : 0;
      const answerTimeoutMs = Math.max(context.settings.hubTimeout, patience);
      const fetched = await fetchSource(context, source, { ...reporter, answerTimeoutMs });
      reporter.report({ phase: "install", label: plan.key, completedBytes: 0 });
      const overrides = fetched.overrides ?? source.overrides;
      return await install(context, plan.nameFor(fetched), {
        fetched: { ...fetched, overrides },
        license: plan.license,
      });
    } catch (error) {
      if (!(error instanceof HearthError) || !isWorthAnother(error)) throw error;
      failures.push({ source: name, error });
    }
  }
  throw summary(plan, failures);
}

function isWorthAnother({ code }: HearthError): boolean {
  return code === "offline" || code === "pull_failed" || code === "model_not_found";
}

function summary(plan: PullPlan, failures: readonly { source: string; error: HearthError }[]): HearthError {
  const [first] = failures;
  if (!first) return new HearthError("pull_failed", `"${plan.key}" has no source.`);
  if (failures.length === 1) return first.error;
  const codes = failures.map(({ error }) => error.code);
  const code = codes.every((one) => one === "offline")
    ? "offline"
    : codes.every((one) => one === "model_not_found")
      ? "model_not_found"
      : "pull_failed";
  const reasons = failures.map(({ source, error }) => `${source}: ${error.message}`);
  return new HearthError(code, `No source of "${plan.key}" worked. ${reasons.join(" ")}`, {
    cause: failures.at(-1)?.error,
  });
}

function done(model: InstalledModel, { onProgress }: PullOptions): InstalledModel {
  onProgress?.({ phase: "done", label: model.name, completedBytes: model.sizeBytes, totalBytes: model.sizeBytes });
  return model;
}

/** Progress at most twenty times a second; a new phase, a new label and a last byte always. */
function throttled({ signal, onProgress }: PullOptions): PullOptions {
  if (!onProgress) return { ...(signal && { signal }) };
  let shown = 0;
  let key = "";
  return {
    ...(signal && { signal }),
    onProgress(progress) {
      const now = performance.now();
      const next = `${progress.phase} ${progress.label}`;
      if (next === key && now - shown < 50 && progress.completedBytes !== progress.totalBytes) return;
      shown = now;
      key = next;
      onProgress(progress);
    },
  };
}
