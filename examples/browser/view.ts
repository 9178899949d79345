// What the page shows.
import type { HearthError } from "../../src/error.ts";

/** An element of the page by its id. */
export function find<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page has no ${kind.name} "${id}".`);
  return element;
}

export function show(id: string, visible: boolean): void {
  find(id, HTMLElement).hidden = !visible;
}

export function showError(error: HearthError | undefined): void {
  show("error", error !== undefined);
  find("error", HTMLElement).textContent = error ? [error.message, error.hint].filter(Boolean).join(" ") : "";
}

export function gigabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

export interface MessageView {
  write(text: string): void;
  think(text: string): void;
  /** No more comes. */
  end(): void;
}

/** Adds an empty message; while more comes, it shows a cursor. */
export function addMessage(role: "user" | "assistant"): MessageView {
  const article = document.createElement("article");
  article.className = role;
  const thoughts = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "Thoughts";
  const [thought, words] = [createText(), createText()];
  words.element.className = "text";
  thoughts.append(summary, thought.element);
  article.append(words.element);
  if (role === "assistant") article.classList.add("writing");
  find("messages", HTMLElement).append(article);
  const flush = (): void => {
    const page = find("scroll", HTMLElement);
    // Who has scrolled up is reading, and is left in peace.
    const below = page.scrollHeight - page.scrollTop - page.clientHeight < 80;
    thought.flush();
    words.flush();
    if (below || role === "user") page.scrollTop = page.scrollHeight;
  };
  const write = createDrawing(flush);
  return {
    write: (text) => write(() => words.add(text)),
    think(text) {
      if (!thoughts.isConnected) article.prepend(thoughts);
      write(() => thought.add(text));
    },
    end() {
      flush();
      article.classList.remove("writing");
    },
  };
}

/** Draws once for each frame: tokens may come much faster, and each layout of a long answer takes its time. */
function createDrawing(flush: () => void): (add: () => void) => void {
  let waiting = false;
  return (add) => {
    add();
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      flush();
    });
  };
}

interface GrowingText {
  readonly element: HTMLElement;
  add(text: string): void;
  flush(): void;
}

function createText(): GrowingText {
  const element = document.createElement("p");
  const node = document.createTextNode("");
  element.append(node);
  let more = "";
  return {
    element,
    add: (text) => void (more += text),
    flush() {
      if (more !== "") node.appendData(more);
      more = "";
    },
  };
}
