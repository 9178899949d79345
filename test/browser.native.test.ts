/** The example page in a real browser, with a tiny model from disk. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { servePage } from "../examples/browser/serve.ts";
import { renderChat } from "../src/chat/render.ts";
import { createFlintEngine } from "../src/engines/flint/engine.ts";
import { inspectGguf } from "../src/models/inspect.ts";
import { findBrowser, startBrowser } from "./browser.ts";
import { makeTinyLlama } from "./make-model.ts";

const executable = findBrowser();
const question = "hello there";
let folder: string;
let browser: BrowserContext | undefined;
let site: Awaited<ReturnType<typeof servePage>> | undefined;
let page: Page;
const problems: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hearth-page-"));
  if (executable === undefined) return;
  site = await servePage(0);
  browser = await startBrowser(executable, join(folder, "profile"));
  browser.setDefaultTimeout(90_000);
});

afterAll(async () => {
  await browser?.close();
  site?.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async (context) => {
  if (!browser || !site) {
    context.skip("no Chromium on this machine");
    return;
  }
  problems.length = 0;
  page = await browser.newPage();
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(site.url);
});

async function choose(path: string): Promise<void> {
  await page.setInputFiles("#file", path);
  await page.locator("#text:enabled").waitFor();
  await page.locator("#temperature").fill("0");
}

async function say(text: string): Promise<void> {
  await page.fill("#text", text);
  await page.keyboard.press("Enter");
}

/** The text of the last answer, once it is complete. */
async function answered(count: number): Promise<string> {
  await page.locator(`article.assistant >> nth=${count - 1}`).waitFor({ state: "attached" });
  await page.waitForFunction(() => document.querySelector(".writing") === null);
  return (await page.locator("article.assistant").last().locator(".text").textContent()) ?? "";
}

/** What the engine answers under Node, greedily. */
async function expected(path: string): Promise<string> {
  const info = await inspectGguf(path);
  const model = await createFlintEngine({ env: {} }).load({ name: "tiny", path, info }, { threads: 2 });
  const { parts } = renderChat({ info, messages: [{ role: "user", content: question }] });
  let text = "";
  try {
    for await (const event of model.generate?.({ prompt: parts, sampling: { temperature: 0 } }) ?? []) {
      if (event.type === "token-delta") text += event.text;
    }
  } finally {
    await model.dispose();
  }
  return text;
}

test("a chat in the page says what the same model says under Node", async () => {
  const path = await makeTinyLlama(join(folder, "tiny.gguf"), { seed: 1, context: 128 });
  await choose(path);
  await say(question);
  const text = await answered(1);
  expect(text).not.toBe("");
  expect(text).toBe(await expected(path));
  expect(await page.textContent("#status")).toMatch(/^\d+ tokens, [\d.]+ a second/);

  // The first turn does not fit beside a second one, and is left out.
  await say("and now?");
  expect(await answered(2)).not.toBe("");
  expect(await page.locator("#error").isVisible()).toBe(false);
  expect(problems).toEqual([]);
});

test("the stop button ends an answer, and the next question is answered", async () => {
  const path = await makeTinyLlama(join(folder, "long.gguf"), { seed: 2, context: 4096, layers: 8 });
  await choose(path);
  await say(question);
  await page.waitForFunction(() => (document.querySelector(".assistant .text")?.textContent ?? "").length > 20);
  await page.click("#stop");
  const first = await answered(1);
  await say(question);
  await page.waitForFunction(() => (document.querySelectorAll(".assistant .text")[1]?.textContent ?? "").length > 20);
  await page.click("#stop");
  expect(first.length).toBeGreaterThan(20);
  expect(await answered(2)).not.toBe("");
  expect(problems).toEqual([]);
});

test("a file that is no model is refused with its reason", async () => {
  await page.setInputFiles("#file", { name: "notes.gguf", mimeType: "", buffer: Buffer.from("no model, just text") });
  await page.locator("#error").waitFor();
  expect(await page.textContent("#error")).toContain("notes.gguf");
  expect(problems).toEqual([]);
});

test("a page that is not isolated from other origins says what it lacks", async () => {
  await page.route("**/browser/", async (route) => {
    const response = await route.fetch();
    const { "cross-origin-opener-policy": _, ...headers } = response.headers();
    await route.fulfill({ response, headers });
  });
  await page.reload();
  await page.locator("#error").waitFor();
  expect(await page.textContent("#error")).toMatch(/lacks shared memory.*Cross-Origin-Opener-Policy/);
  expect(await page.locator("#file").isDisabled()).toBe(true);
});
