/** What becomes of models that nobody uses or waits for: loads are cancelled, others sleep and go when their time is over. */
import { HearthError } from "../error.ts";
import type { Clock } from "./clock.ts";
import { canSleep, type Instance, isIdle } from "./instance.ts";
import { arm } from "./keep-alive.ts";
import type { Pool } from "./pool.ts";
import type { Queue } from "./queue.ts";

export interface IdleOptions {
  readonly pool: Pool;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly sleepAfterMs: number;
}

export interface Idle {
  /** Cancels loads that nobody waits for, and starts the clocks of models that nobody uses. */
  settle(): void;
  /** Puts a model to sleep now. Throws why it cannot. */
  sleep(key: string): Promise<void>;
}

export function createIdle({ pool, queue, clock, sleepAfterMs }: IdleOptions): Idle {
  const isWanted = ({ key, running }: Instance): boolean => running > 0 || queue.of(key).length > 0;
  const armOne = (instance: Instance): void => {
    arm(instance, {
      clock,
      sleepAfterMs,
      onSleepy() {
        if (!isWanted(instance)) void pool.sleep(instance);
      },
      onExpired() {
        if (!isWanted(instance)) void pool.retire(instance);
      },
    });
  };
  return {
    settle() {
      for (const instance of pool.staying()) {
        if (isWanted(instance)) continue;
        if (instance.state === "waking") pool.sleepOn(instance);
        if (!isIdle(instance) || instance.keepAliveMs === 0) void pool.retire(instance);
        else armOne(instance);
      }
    },
    async sleep(key) {
      const instance = pool.current(key);
      if (!instance) throw notLoaded(key);
      const { state, loaded } = instance;
      if (state === "asleep" || state === "dozing") return;
      if (loaded && !loaded.sleep) throw cannotSleep(key, loaded.engine);
      if (!isWanted(instance) && canSleep(instance) && (await pool.sleep(instance))) return;
      throw new HearthError("conflict", `"${key}" is in use.`, { hint: "Try again when its requests are done." });
    },
  };
}

function notLoaded(key: string): HearthError {
  return new HearthError("model_not_found", `"${key}" is not loaded.`, {
    hint: "`hearth ps` lists the loaded models.",
  });
}

function cannotSleep(key: string, engine: string): HearthError {
  return new HearthError("unsupported_capability", `"${key}" runs on ${engine}, which cannot put a model to sleep.`, {
    hint: `Unload it with \`hearth stop ${key}\`.`,
  });
}
