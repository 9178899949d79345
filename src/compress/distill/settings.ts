import { HearthError } from "../../error.ts";
import type { GivenSettings, LearnSettings } from "./contract.ts";

/** With these SmolLM2-135M without a quarter of its layers won back three quarters of its loss in 30 steps. */
const defaults: LearnSettings = {
  seed: 1,
  steps: 100,
  batch: 2,
  window: 256,
  rank: 16,
  rate: 2e-3,
  temperature: 1,
  share: 0.5,
  top: 64,
};

type Limits = readonly [least: number, most: number];

const limits: Readonly<Record<keyof LearnSettings, Limits>> = {
  seed: [0, Number.MAX_SAFE_INTEGER],
  steps: [1, 1e7],
  batch: [1, 4096],
  window: [16, 65_536],
  rank: [1, 1024],
  rate: [1e-9, 10],
  temperature: [0.1, 100],
  share: [0, 1],
  top: [1, 4096],
};

/** Throws `bad_request` for what makes no sense. */
export function completeSettings(given: GivenSettings = {}): LearnSettings {
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  const settings = { ...defaults, ...(Object.fromEntries(known) as Partial<LearnSettings>) };
  for (const [name, [least, most]] of Object.entries(limits) as [keyof LearnSettings, Limits][]) {
    const value = settings[name];
    if (value >= least && value <= most) continue;
    throw new HearthError("bad_request", `--${name} is ${value}; it must be from ${least} to ${most}.`, {
      details: { field: name },
    });
  }
  return settings;
}
