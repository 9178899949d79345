// The page: choose a file, watch it load, chat.
import { browserProblem } from "../../src/engines/flint/browser.ts";
import { toHearthError } from "../../src/error.ts";
import type { Message } from "../../src/spec/message.ts";
import { answer, openModel } from "./model.ts";
import type { OpenModel } from "./model.ts";
import { addMessage, find, gigabytes, show, showError } from "./view.ts";

const file = find("file", HTMLInputElement);
const form = find("form", HTMLFormElement);
const text = find("text", HTMLTextAreaElement);
const send = find("send", HTMLButtonElement);
const stop = find("stop", HTMLButtonElement);
const temperature = find("temperature", HTMLInputElement);
const status = find("status", HTMLElement);
let messages: Message[] = [];
let model: OpenModel | undefined;
let running: AbortController | undefined;

/** Runs one thing at a time, which the stop button ends. */
async function work(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  running?.abort();
  const controller = (running = new AbortController());
  showError(undefined);
  update();
  try {
    await run(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) showError(toHearthError(error));
  }
  if (running === controller) running = undefined;
  update();
}

function update(): void {
  const busy = running !== undefined;
  show("stop", busy);
  show("send", !busy);
  send.disabled = !model || text.value.trim() === "";
  text.disabled = !model;
}

async function open(chosen: File): Promise<void> {
  await work(async (signal) => {
    await model?.loaded.dispose();
    model = undefined;
    const started = performance.now();
    const bar = find("bar", HTMLProgressElement);
    show("welcome", false);
    show("loading", true);
    try {
      model = await openModel(chosen, {
        signal,
        onProgress({ completedBytes, totalBytes = 1 }) {
          bar.value = completedBytes / totalBytes;
          status.textContent = `${chosen.name}: ${gigabytes(completedBytes)} of ${gigabytes(totalBytes)}`;
        },
      });
    } finally {
      show("loading", false);
      show("welcome", model === undefined);
      status.textContent = "";
    }
    const { info, loaded } = model;
    find("name", HTMLElement).textContent = chosen.name.replace(/\.gguf$/, "");
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    status.textContent = `${info.architecture}, ${info.quantization}, ${gigabytes(info.weightBytes)}, context ${loaded.contextTokens}; loaded in ${seconds} s`;
    reset();
  });
  text.focus();
}

function reset(): void {
  messages = [];
  find("messages", HTMLElement).replaceChildren();
}

async function reply(question: string): Promise<void> {
  const opened = model;
  if (!opened) return;
  // A new chat may begin while this answer is written.
  const history = messages;
  history.push({ role: "user", content: question });
  const asked = addMessage("user");
  asked.write(question);
  asked.end();
  const view = addMessage("assistant");
  let said = "";
  await work(async (signal) => {
    try {
      for await (const event of answer(opened, { messages: history, temperature: Number(temperature.value), signal })) {
        if (event.type === "text-delta") said += event.text;
        if (event.type === "text-delta") view.write(event.text);
        if (event.type === "reasoning-delta") view.think(event.text);
        if (event.type !== "finish") continue;
        const { usage, promptMs, generateMs } = event;
        const rate = (usage.completionTokens * 1000) / Math.max(1, generateMs);
        status.textContent = `${usage.completionTokens} tokens, ${rate.toFixed(1)} a second; prompt of ${usage.promptTokens} tokens (${usage.cachedTokens} kept) in ${(promptMs / 1000).toFixed(2)} s`;
      }
    } finally {
      view.end();
    }
  });
  // A question without an answer is forgotten, so that it can be asked again.
  if (said === "") history.pop();
  else history.push({ role: "assistant", content: said });
}

function submit(): void {
  const question = text.value.trim();
  if (question === "" || !model || running) return;
  text.value = "";
  void reply(question).finally(() => text.focus());
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
text.addEventListener("input", update);
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
stop.addEventListener("click", () => running?.abort());
find("new", HTMLButtonElement).addEventListener("click", () => {
  running?.abort();
  reset();
});
temperature.addEventListener("input", () => {
  find("temperature-value", HTMLElement).textContent = temperature.value;
});
file.addEventListener("change", () => {
  const chosen = file.files?.[0];
  if (chosen) void open(chosen);
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const dropped = event.dataTransfer?.files[0];
  if (dropped && !file.disabled) void open(dropped);
});

const problem = browserProblem();
if (problem) {
  showError(problem);
  file.disabled = true;
}
update();
