/** Plays a WAV file with what the system has for it. */
import { spawn } from "node:child_process";

type Player = readonly [command: string, ...arguments: readonly string[]];

const players: Readonly<Partial<Record<NodeJS.Platform, readonly Player[]>>> = {
  darwin: [["afplay"]],
  linux: [["pw-play"], ["paplay"], ["aplay", "-q"], ["ffplay", "-nodisp", "-autoexit", "-loglevel", "error"]],
};

/** Resolves when it was played: true; false where no player is found, or none could. */
export async function playFile(path: string, signal: AbortSignal): Promise<boolean> {
  for (const [command, ...words] of players[process.platform] ?? []) {
    if (await run(command, [...words, path], signal)) return true;
  }
  return false;
}

async function run(command: string, words: readonly string[], signal: AbortSignal): Promise<boolean> {
  const child = spawn(command, [...words], { stdio: "ignore", signal });
  return await new Promise((resolve, reject) => {
    child.once("error", (error) => {
      if (signal.aborted) reject(error);
      else resolve(false);
    });
    child.once("close", (code) => resolve(code === 0));
  });
}
