/** A browser for tests of pages, where this machine has one. */
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";
import type { BrowserContext } from "playwright-core";

const places = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** Path of a Chromium; undefined: there is none. */
export function findBrowser(): string | undefined {
  return places.find((path) => existsSync(path));
}

/** Starts a Chromium without a window, which calls nobody; `folder` is for its profile. */
export function startBrowser(executablePath: string, folder: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, {
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
