/** Records with what the system has for it: bare samples of 16 bits and one channel. */
import type { ChildProcessByStdio } from "node:child_process";
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";

export type Recorder = readonly [command: string, ...words: readonly string[]];

/** `rate`: samples a second. */
export function recorders(platform: NodeJS.Platform, rate: number): readonly Recorder[] {
  const hz = String(rate);
  const sox = ["-q", "-t", "raw", "-r", hz, "-c", "1", "-b", "16", "-e", "signed-integer", "-"];
  const ffmpeg = (...device: readonly string[]): Recorder => [
    "ffmpeg",
    "-loglevel",
    "error",
    "-nostdin",
    "-f",
    ...device,
    "-ac",
    "1",
    "-ar",
    hz,
    "-f",
    "s16le",
    "-",
  ];
  switch (platform) {
    case "linux":
      return [
        ["parec", "--format=s16le", `--rate=${hz}`, "--channels=1", "--latency-msec=100"],
        ["arecord", "-q", "-t", "raw", "-f", "S16_LE", "-r", hz, "-c", "1"],
        ["rec", ...sox],
        ffmpeg("pulse", "-i", "default"),
        ffmpeg("alsa", "-i", "default"),
      ];
    case "darwin":
      return [["rec", ...sox], ffmpeg("avfoundation", "-i", ":default")];
    case "win32":
      return [["sox", "-q", "-t", "waveaudio", "default", ...sox.slice(1)]];
    default:
      return [["rec", ...sox]];
  }
}

export interface Recording {
  readonly command: string;
  readonly sound: AsyncIterable<Uint8Array>;
  stop(): void;
}

/** The first recorder that gives any sound; undefined where none does. */
export async function record(list: readonly Recorder[], signal: AbortSignal): Promise<Recording | undefined> {
  for (const [command, ...words] of list) {
    signal.throwIfAborted();
    const child = spawn(command, [...words], { stdio: ["ignore", "pipe", "ignore"], windowsHide: true });
    const stop = (): void => void child.kill();
    signal.addEventListener("abort", stop, { once: true });
    if (await speaks(child)) return { command, sound: child.stdout, stop };
    signal.removeEventListener("abort", stop);
  }
  signal.throwIfAborted();
  return undefined;
}

/** Whether it gives its first bytes before it ends. They stay in the stream. */
async function speaks(child: ChildProcessByStdio<null, Readable, null>): Promise<boolean> {
  return await new Promise((resolve) => {
    child.once("error", () => resolve(false));
    child.stdout.once("readable", () => resolve(child.stdout.readableLength > 0));
    child.stdout.once("end", () => resolve(false));
  });
}
