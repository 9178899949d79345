import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openStates } from "./states.ts";
import type { Prompt, States, StatesOptions } from "./states.ts";

const bytesPerToken = 10;
let folder: string;
let clock: number;
let notices: string[];

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "hearth-states-")), "llama");
  clock = 1_700_000_000_000;
  notices = [];
});
afterEach(async () => {
  await rm(join(folder, ".."), { recursive: true, force: true });
});

async function open(more: Partial<StatesOptions> = {}): Promise<States> {
  const states = await openStates({
    folder,
    mostBytes: 1e9,
    identity: "model",
    bytesPerToken,
    onNotice: (text) => void notices.push(text),
    space: async () => 1e12,
    now: () => (clock += 1000),
    ...more,
  });
  if (!states) throw new Error("there are no states");
  return states;
}

/** Tokens that differ between conversations, and the first ones of which are alike. */
function prompt(conversation: number, length: number, tenant?: string): Prompt {
  return {
    tenant,
    tokens: Array.from({ length }, (_, index) => (index < 100 ? index : index + conversation * 10_000)),
  };
}

async function save(states: States, saved: Prompt): Promise<void> {
  await states.save(saved, (path) => writeFile(path, Buffer.alloc(saved.tokens.length * bytesPerToken, 7)));
}

async function files(kind: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith(kind));
}

/** What the next start finds of a prompt: how many tokens, and whether the file is whole. */
async function found(states: States, wanted: Prompt): Promise<readonly [tokens: number, whole: boolean] | undefined> {
  const state = states.find(wanted);
  return state && [state.tokens, (await states.open(state)) !== undefined];
}

describe("prompts on disk", () => {
  it("are found by the next start, and by a longer prompt that begins alike", async () => {
    await save(await open(), prompt(1, 300));
    const states = await open();
    expect(await found(states, prompt(1, 5000))).toEqual([256, true]);
    expect(states.sizeBytes).toBeGreaterThan(3000);
  });

  it("serve a shorter prompt with what it has in common, and leave its last token", async () => {
    const states = await open();
    await save(states, prompt(1, 1000));
    expect(await found(states, prompt(2, 1000))).toEqual([64, true]);
    expect(await found(states, prompt(1, 512))).toEqual([448, true]);
    expect(await found(states, prompt(1, 513))).toEqual([512, true]);
    expect(await found(states, prompt(1, 60))).toBeUndefined();
  });

  it("are those of one tenant and of one model alone", async () => {
    await save(await open(), prompt(1, 300, "ann"));
    const states = await open();
    expect(await found(states, prompt(1, 300, "ann"))).toEqual([256, true]);
    expect(await found(states, prompt(1, 300, "bob"))).toBeUndefined();
    expect(await found(states, prompt(1, 300))).toBeUndefined();
    expect(await found(await open({ identity: "other" }), prompt(1, 300, "ann"))).toBeUndefined();
  });

  it("are told apart by every token when they are read back", async () => {
    const states = await open();
    await save(states, prompt(1, 300));
    const state = states.find(prompt(1, 300));
    if (!state) throw new Error("nothing was found");
    expect(states.holds(state, prompt(1, 300))).toBe(true);
    expect(states.holds(state, prompt(1, 299))).toBe(false);
    expect(states.holds(state, { ...prompt(1, 300), tenant: "ann" })).toBe(false);
    expect(states.holds(state, { tenant: undefined, tokens: [...prompt(1, 299).tokens, 5] })).toBe(false);
  });

  it("are not kept where they are short", async () => {
    await save(await open(), prompt(1, 255));
    expect(await readdir(folder)).toEqual([]);
  });

  it("are kept once, and a conversation that went on replaces what it was", async () => {
    const states = await open();
    await save(states, prompt(1, 300));
    await save(states, prompt(1, 310));
    expect(await files(".state")).toHaveLength(1);
    await save(states, prompt(1, 900));
    await save(states, prompt(1, 400));
    expect(await files(".state")).toHaveLength(1);
    expect(await found(states, prompt(1, 2000))).toEqual([896, true]);
  });

  it("take no more room than they may, and those not used for longest go first", async () => {
    const states = await open({ mostBytes: 12_000 });
    for (const conversation of [1, 2]) await save(states, prompt(conversation, 400));
    expect(await found(states, prompt(1, 400))).toEqual([384, true]);
    await save(states, prompt(3, 400));
    expect(states.sizeBytes).toBeLessThanOrEqual(12_000);
    expect(await found(states, prompt(1, 400))).toEqual([384, true]);
    expect(await found(states, prompt(2, 400))).toEqual([64, true]);
    expect(await found(states, prompt(3, 400))).toEqual([384, true]);
    await save(states, prompt(4, 2000));
    expect(await files(".state")).toHaveLength(2);
  });

  it("that another process has written are found after the next of ours", async () => {
    const [ours, other] = [await open(), await open()];
    await save(other, prompt(1, 300));
    await save(ours, prompt(2, 300));
    expect(await found(ours, prompt(1, 300))).toEqual([256, true]);
  });
});

describe("files that are not what was written", () => {
  async function damaged(harm: (path: string) => Promise<void>): Promise<void> {
    await save(await open(), prompt(1, 300));
    const [name = ""] = await files(".state");
    await harm(join(folder, name));
  }

  it("are a miss, and removed: a changed byte", async () => {
    await damaged(async (path) => {
      const bytes = await readFile(path);
      bytes[1234] = 8;
      await writeFile(path, bytes);
    });
    const states = await open();
    expect(await found(states, prompt(1, 300))).toEqual([256, false]);
    expect(await readdir(folder)).toEqual([]);
    expect(states.find(prompt(1, 300))).toBeUndefined();
  });

  it("are a miss: a file that was cut, or that is gone", async () => {
    await damaged((path) => truncate(path, 100));
    expect(await found(await open(), prompt(1, 300))).toBeUndefined();
    await rm(folder, { recursive: true });
    await damaged((path) => rm(path));
    expect(await found(await open(), prompt(1, 300))).toBeUndefined();
  });

  it("are a miss: a file that went away since it was found", async () => {
    const states = await open();
    await save(states, prompt(1, 300));
    await rm(folder, { recursive: true });
    expect(await found(states, prompt(1, 300))).toEqual([256, false]);
  });

  it("are a miss: a link to somewhere else", async () => {
    await damaged(async (path) => {
      await writeFile(join(folder, "..", "elsewhere"), await readFile(path));
      await rm(path);
      await symlink(join(folder, "..", "elsewhere"), path);
    });
    expect(await found(await open(), prompt(1, 300))).toBeUndefined();
  });

  it.each([
    ["no JSON", "{"],
    ["another version", '{"version":2}'],
    ["nothing", "null"],
    [
      "a key of somebody else",
      '{"version":1,"key":"../../x","tokens":300,"prefixes":[],"sizeBytes":3000,"checksum":""}',
    ],
  ])("are a miss: a record that says %s", async (_, text) => {
    await damaged((path) => writeFile(path.replace(".state", ".json"), text));
    expect(await found(await open(), prompt(1, 300))).toBeUndefined();
  });

  it("are a miss: a record under the name of another one", async () => {
    const states = await open();
    await save(states, prompt(1, 300));
    await save(states, prompt(2, 300));
    const [one = "", two = ""] = await files(".json");
    await writeFile(join(folder, one), await readFile(join(folder, two)));
    const again = await open();
    const results = await Promise.all([1, 2].map((conversation) => found(again, prompt(conversation, 300))));
    expect(results.filter((result) => result?.[0] === 256)).toHaveLength(1);
  });

  it("that nobody can be writing any more are removed, and files of others left alone", async () => {
    await mkdir(folder, { recursive: true });
    const name = "a".repeat(64);
    await writeFile(join(folder, `${name}.0123456789ab.tmp`), "x");
    await writeFile(join(folder, `${name}.state`), "x");
    await writeFile(join(folder, "notes.txt"), "x");
    clock = Date.now();
    await open();
    expect(await readdir(folder)).toHaveLength(3);
    clock += 2 * 3_600_000;
    await open();
    expect(await readdir(folder)).toEqual(["notes.txt"]);
  });
});

describe("a disk that does not take prompts", () => {
  it("is told of once when it is full, and nothing is left of what was begun", async () => {
    const states = await open();
    for (const conversation of [1, 2]) {
      await states.save(prompt(conversation, 300), async (path) => {
        await writeFile(path, "half");
        throw new Error("ENOSPC: no space left on device");
      });
    }
    expect(notices).toEqual([expect.stringContaining("no space left")]);
    expect(await readdir(folder)).toEqual([]);
  });

  it("is left some room for others", async () => {
    const states = await open({ space: async () => 2 ** 30 });
    for (const conversation of [1, 2]) await save(states, prompt(conversation, 300));
    expect(await readdir(folder)).toEqual([]);
    expect(notices).toEqual([expect.stringContaining("1.0 GiB free")]);
  });

  it("is told of when there can be no folder", async () => {
    await writeFile(folder, "a file stands there");
    await expect(open()).rejects.toThrow("no states");
    expect(notices).toEqual([expect.stringContaining("no cache of prompts on disk")]);
  });
});
