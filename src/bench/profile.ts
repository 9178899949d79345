/** `hearth bench --profile`: where each millisecond of decoding and of a prompt goes, as the engine says. */
import { HearthError } from "../error.ts";
import type { EngineProfile, LoadedModel } from "../spec/engine.ts";
import type { Hearth } from "../tasks/contract.ts";
import { createOurs, uncached } from "./ours.ts";
import { createWorkload } from "./workload.ts";

export interface ProfileOptions {
  readonly hearth: Hearth;
  readonly model: string;
  readonly promptTokens?: number;
  readonly decodeTokens?: number;
  readonly signal?: AbortSignal;
}

export interface ProfilePhase extends EngineProfile {
  readonly tokens: number;
  /** From the request to its end, as the caller sees it. */
  readonly wallMs: number;
}

export interface ProfileReport {
  readonly model: string;
  readonly engine: string;
  readonly decode: ProfilePhase;
  readonly prefill: ProfilePhase;
}

type Profile = NonNullable<LoadedModel["profile"]>;

/** Loads the model, decodes from a prompt of one token, computes a long prompt. Throws `unsupported_option`. */
export async function runProfile(options: ProfileOptions): Promise<ProfileReport> {
  const { hearth, model, promptTokens = 512, decodeTokens = 64, signal } = options;
  const ours = createOurs(hearth, model, uncached);
  const lease = await hearth.runtime.acquire({
    model,
    load: uncached,
    keepAliveMs: Infinity,
    ...(signal && { signal }),
  });
  const { loaded, info } = lease;
  // Nobody else asks for the model: it stays, and its turn is free for the requests below.
  lease.release();
  try {
    if (!loaded.profile) throw noProfile(loaded.engine);
    const [long = []] = createWorkload({
      vocabularySize: info.vocabularySize,
      promptTokens: Math.min(promptTokens, loaded.contextTokens - 1),
      decodeTokens,
      clients: 0,
      prompts: 1,
      seed: 1,
    }).longPrompts;
    const profile: Profile = (call) => loaded.profile?.(call) ?? Promise.reject(noProfile(loaded.engine));
    const measure = async (prompt: readonly number[], tokens: number): Promise<ProfilePhase> => {
      signal?.throwIfAborted();
      await profile();
      const start = performance.now();
      await ours.generate({ prompt, tokens }, () => undefined);
      const wallMs = performance.now() - start;
      return { ...(await profile()), tokens: Math.max(prompt.length, tokens), wallMs };
    };
    // The first steps pay for page faults and compilers.
    await ours.generate({ prompt: long.toReversed(), tokens: 4 }, () => undefined);
    const decode = await measure(long.slice(0, 1), decodeTokens);
    const prefill = await measure(long, 1);
    return { model, engine: loaded.engine, decode, prefill };
  } finally {
    await ours.unload();
  }
}

function noProfile(engine: string): HearthError {
  return new HearthError("unsupported_option", `The engine ${engine} cannot say where its time goes.`, {
    hint: "Take `--engine flint`.",
    details: { option: "profile", engine },
  });
}

/** The report as tables for people. */
export function formatProfile({ model, engine, decode, prefill }: ProfileReport): string {
  return [
    `${model} on ${engine}`,
    "",
    `decode: ${decode.tokens} tokens one after the other, milliseconds of one token`,
    ...formatPhase(decode, decode.tokens),
    "",
    `prefill: ${prefill.tokens} tokens at once, milliseconds of all`,
    ...formatPhase(prefill, 1),
  ].join("\n");
}

function formatPhase({ rows, wallMs }: ProfilePhase, per: number): string[] {
  const inside = rows.reduce((sum, { ms }) => sum + ms, 0);
  const all = [...rows, { what: "between the steps", ms: Math.max(0, wallMs - inside) }, { what: "all", ms: wallMs }];
  const width = Math.max(...all.map(({ what }) => what.length));
  return all.map(({ what, ms }) => {
    const share = `${((100 * ms) / wallMs).toFixed(1)} %`;
    return `  ${what.padEnd(width)}  ${(ms / per).toFixed(3).padStart(10)}  ${share.padStart(7)}`;
  });
}
