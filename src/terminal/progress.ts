import type { Progress } from "../spec/model.ts";
import { formatBytes, formatDuration } from "../util/format.ts";
import type { Output } from "./io.ts";
import { plain, width } from "./style.ts";

/** The line at the bottom that says what goes on, and the lines above it that stay. All on one stream: stderr. */
export interface Status {
  /** Shows progress: a bar on a terminal, now and then a line elsewhere. */
  readonly update: (progress: Progress) => void;
  /** A line that stays. */
  readonly note: (line: string) => void;
  /** Takes the bar away; lines stay. */
  readonly clear: () => void;
}

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

const words: Readonly<Record<Progress["phase"], string>> = {
  resolve: "looking up",
  download: "fetching",
  verify: "checking",
  install: "installing",
  load: "loading",
  convert: "converting",
  quantize: "quantizing",
  prune: "pruning",
  train: "training",
  measure: "measuring",
  done: "ready:",
};

/** Rate over this many ms: long enough to be calm, short enough to be true. */
const rateWindowMs = 5000;
const redrawMs = 100;

export function createStatus(stream: Output, now: () => number = () => performance.now()): Status {
  const meter = createMeter(now);
  const show = stream.isTTY === true ? createBar(stream, now) : createLog(stream, now);
  return {
    update(progress) {
      show.update(progress, meter(progress));
    },
    note(line) {
      show.clear();
      stream.write(`${plain(line)}\n`);
    },
    clear() {
      show.clear();
    },
  };
}

interface Display {
  update(progress: Progress, bytesPerSecond: number): void;
  clear(): void;
}

function createBar(stream: Output, now: () => number): Display {
  let shownAt = -Infinity;
  let key = "";
  let drawn = false;
  const clear = (): void => {
    if (drawn) stream.write("\r\u001b[2K");
    drawn = false;
  };
  return {
    update(progress, rate) {
      const next = keyOf(progress);
      const finished = progress.totalBytes !== undefined && progress.completedBytes >= progress.totalBytes;
      if (next === key && !finished && now() - shownAt < redrawMs) return;
      key = next;
      shownAt = now();
      clear();
      if (progress.phase === "done") return;
      stream.write(barLine(progress, rate, (stream.columns || 80) - 1));
      drawn = true;
    },
    clear,
  };
}

/** Lines for a log file: the start of each phase, then every 5 %, never more than one a second. */
function createLog(stream: Output, now: () => number): Display {
  let key = "";
  let shownAt = -Infinity;
  let shownShare = 0;
  return {
    update(progress, rate) {
      if (progress.phase === "done") return;
      const share = progress.totalBytes ? progress.completedBytes / progress.totalBytes : 0;
      const fresh = keyOf(progress) !== key;
      const waited = now() - shownAt;
      const step = progress.totalBytes ? share - shownShare >= 0.05 && waited >= 1000 : waited >= 10_000;
      const finished = share >= 1 && shownShare < 1;
      if (!fresh && !step && !finished) return;
      key = keyOf(progress);
      shownAt = now();
      shownShare = share;
      stream.write(`${[title(progress), figures(progress, rate)].filter((part) => part !== "").join("  ")}\n`);
    },
    clear() {},
  };
}

function createMeter(now: () => number): (progress: Progress) => number {
  let samples: Sample[] = [];
  let key = "";
  return (progress) => {
    const at = now();
    const last = samples.at(-1);
    if (keyOf(progress) !== key || (last && progress.completedBytes < last.bytes)) samples = [];
    key = keyOf(progress);
    samples.push({ at, bytes: progress.completedBytes });
    // One sample before the window stays, so that a slow transfer still has a rate.
    while (samples.length > 2 && at - (samples[1]?.at ?? at) > rateWindowMs) samples.shift();
    const first = samples[0];
    if (!first || at <= first.at) return 0;
    return ((progress.completedBytes - first.bytes) * 1000) / (at - first.at);
  };
}

const keyOf = (progress: Progress): string => `${progress.phase} ${progress.label}`;
const title = (progress: Progress): string => plain(`${words[progress.phase]} ${progress.label}`);

/** `12%  80 MiB of 638 MiB  11 MiB/s  50.2s left`, as far as it is known. */
function figures(progress: Progress, rate: number): string {
  const { completedBytes, totalBytes, phase } = progress;
  if (completedBytes === 0 && !totalBytes) return "";
  if (phase === "train") return steps(progress, rate);
  const known = totalBytes !== undefined && totalBytes > 0;
  const parts = known
    ? [
        `${String(Math.floor((100 * completedBytes) / totalBytes)).padStart(3)}%`,
        `${formatBytes(completedBytes)} of ${formatBytes(totalBytes)}`,
      ]
    : [formatBytes(completedBytes)];
  if (rate > 0 && phase !== "load") parts.push(`${formatBytes(rate)}/s`);
  if (known && rate > 0 && completedBytes < totalBytes && phase !== "load") {
    parts.push(`${formatDuration(((totalBytes - completedBytes) / rate) * 1000)} left`);
  }
  return parts.join("  ");
}

/** `step 12 of 200  loss 2.91  3m 20s left` */
function steps({ completedBytes: step, totalBytes: all = step, detail }: Progress, rate: number): string {
  const left = rate > 0 && step < all ? [`${formatDuration(((all - step) / rate) * 1000)} left`] : [];
  return [`step ${step} of ${all}`, ...(detail === undefined ? [] : [detail]), ...left].join("  ");
}

/** The bar takes the columns that title and figures leave; the title is cut when even they do not fit. */
function barLine(progress: Progress, rate: number, columns: number): string {
  const right = figures(progress, rate);
  const name = title(progress);
  const room = columns - width(right) - 2;
  const left =
    width(name) > room
      ? `${Array.from(name)
          .slice(0, Math.max(0, room - 1))
          .join("")}…`
      : name;
  const free = Math.min(30, columns - width(left) - width(right) - 6);
  if (!progress.totalBytes || free < 8) return `${left}  ${right}`.slice(0, columns);
  const filled = Math.round(free * Math.min(1, progress.completedBytes / progress.totalBytes));
  return `${left}  [${"#".repeat(filled)}${".".repeat(free - filled)}]  ${right}`;
}
