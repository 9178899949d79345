/** The KV cache of prompts that left memory, as files. Never throws: what cannot be read or written is not there. */
import { statfs } from "node:fs/promises";
import { formatBytes } from "../../../util/format.ts";
import { prefixNames, promptName, strideTokens } from "./chain.ts";
import { openStateFolder } from "./folder.ts";
import type { StateFolder, StoredState } from "./folder.ts";
import type { StateRecord } from "./record.ts";

export interface Prompt {
  readonly tenant: string | undefined;
  readonly tokens: readonly number[];
}

export interface FoundState {
  readonly record: StateRecord;
  /** Tokens that the prompt and the state have in common at least, a multiple of 64. */
  readonly tokens: number;
}

export interface States {
  /** The state that begins as the prompt does for longest. */
  find(prompt: Prompt): FoundState | undefined;
  /** The file of a state, proved to be what was written; undefined: it is gone, or damaged and now removed. */
  open(found: FoundState): Promise<string | undefined>;
  /** Whether these are the tokens that the state was saved for. */
  holds(found: FoundState, prompt: Prompt): boolean;
  remove(found: FoundState): Promise<void>;
  /** Keeps a prompt that is not kept yet. `write` writes its state to a path. */
  save(prompt: Prompt, write: (path: string) => Promise<void>): Promise<void>;
  readonly sizeBytes: number;
}

export interface StatesOptions {
  readonly folder: string;
  /** Of all states in the folder; the least recently used go first. */
  readonly mostBytes: number;
  /** What a state depends on besides tenant and tokens. */
  readonly identity: string;
  /** What a token takes, about. */
  readonly bytesPerToken: number;
  /** Told once when no more prompts can be kept. */
  readonly onNotice: (text: string) => void;
  /** Free bytes of the disk. */
  readonly space?: (folder: string) => Promise<number>;
  readonly now?: () => number;
}

/** Shorter ones are computed faster than they are looked for. */
const leastTokens = 256;
/** What is left to others on the disk. */
const reservedBytes = 1024 ** 3;

/** Undefined where there can be no folder; the reason is told. */
export async function openStates(options: StatesOptions): Promise<States | undefined> {
  const { folder, onNotice, now } = options;
  try {
    const opened = new DiskStates(await openStateFolder(folder, now), options);
    await opened.scan();
    return opened;
  } catch (error) {
    onNotice(`There is no cache of prompts on disk: ${messageOf(error)}.`);
    return undefined;
  }
}

class DiskStates implements States {
  readonly #folder: StateFolder;
  readonly #options: StatesOptions;
  /** Name of a prefix → the state that was used last of those that begin so. */
  #index = new Map<string, StateRecord>();
  #stopped = false;
  #said = new Set<string>();
  sizeBytes = 0;

  constructor(folder: StateFolder, options: StatesOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  /** Learns what other processes have written and removed. */
  async scan(): Promise<StoredState[]> {
    const stored = [...(await this.#folder.list())];
    this.#index = new Map(stored.flatMap(({ record }) => record.prefixes.map((name) => [name, record] as const)));
    this.sizeBytes = stored.reduce((sum, { bytes }) => sum + bytes, 0);
    return stored;
  }

  find({ tenant, tokens }: Prompt): FoundState | undefined {
    // The last token must be evaluated to predict the next one.
    const names = prefixNames({ identity: this.#options.identity, tenant }, tokens.slice(0, -1));
    const place = names.findLastIndex((name) => this.#index.has(name));
    const record = this.#index.get(names[place] ?? "");
    return record && { record, tokens: (place + 1) * strideTokens };
  }

  async open(found: FoundState): Promise<string | undefined> {
    const path = await this.#folder.prove(found.record).catch(() => undefined);
    if (path === undefined) await this.scan().catch(() => {});
    return path;
  }

  holds({ record }: FoundState, { tenant, tokens }: Prompt): boolean {
    return promptName({ identity: this.#options.identity, tenant }, tokens) === record.key;
  }

  async remove({ record }: FoundState): Promise<void> {
    await this.#folder.remove(record.key).catch(() => {});
    await this.scan().catch(() => {});
  }

  async save(prompt: Prompt, write: (path: string) => Promise<void>): Promise<void> {
    const { tenant, tokens } = prompt;
    const { identity, bytesPerToken, mostBytes } = this.#options;
    const bytes = tokens.length * bytesPerToken;
    if (this.#stopped || tokens.length < leastTokens || bytes > mostBytes || this.#covers(prompt)) return;
    try {
      if (!(await this.#hasSpace(bytes))) return;
      await this.#makeRoom(bytes);
      const scope = { identity, tenant };
      const state = { key: promptName(scope, tokens), tokens: tokens.length, prefixes: prefixNames(scope, tokens) };
      await this.#folder.write(state, write);
      await this.#dropCovered(state);
      // It may be larger than it was thought to be.
      await this.#makeRoom(0);
    } catch (error) {
      this.#stopped = true;
      this.#say("off", `No more prompts are kept in ${this.#options.folder}: ${messageOf(error)}.`);
    }
  }

  /** Whether what is kept already lacks less than a stride of the prompt. */
  #covers({ tenant, tokens }: Prompt): boolean {
    const last = prefixNames({ identity: this.#options.identity, tenant }, tokens).at(-1);
    return last !== undefined && this.#index.has(last);
  }

  /** Removes the earlier states of a conversation: of what they hold, the new one lacks less than a stride. */
  async #dropCovered({ key, prefixes }: Pick<StateRecord, "key" | "prefixes">): Promise<void> {
    const names = new Set(prefixes);
    for (const { record } of await this.scan()) {
      if (record.key !== key && names.has(record.prefixes.at(-1) ?? "")) await this.#folder.remove(record.key);
    }
  }

  async #makeRoom(bytes: number): Promise<void> {
    const stored = await this.scan();
    let removed = false;
    while (this.sizeBytes + bytes > this.#options.mostBytes) {
      const oldest = stored.shift();
      if (!oldest) break;
      await this.#folder.remove(oldest.record.key);
      this.sizeBytes -= oldest.bytes;
      removed = true;
    }
    if (removed) await this.scan();
  }

  async #hasSpace(bytes: number): Promise<boolean> {
    const { folder, space = freeBytes } = this.#options;
    const free = await space(folder);
    if (free - bytes >= reservedBytes) return true;
    this.#say("space", `The disk of ${folder} has ${formatBytes(free)} free: prompts are not kept there for now.`);
    return false;
  }

  #say(what: string, text: string): void {
    if (this.#said.has(what)) return;
    this.#said.add(what);
    this.#options.onNotice(text);
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
