import { describe, expect, it } from "vitest";
import { createFakeLibrary } from "../../test/fake-library.ts";
import { collect, createTaskHouse, eventOf, textOf } from "../../test/task-house.ts";
import { createFakeEngine } from "../engines/fake/engine.ts";
import { createHearth } from "./hearth.ts";

const messages = [{ role: "user", content: "Hi" }] as const;

describe("hearth as one object", () => {
  it("answers with the library and engines it is given", async () => {
    const engine = createFakeEngine({ reply: "Hello." });
    const library = createFakeLibrary([{ name: "tiny" }]);
    const engines = {
      choose: async () => ({ engine: "fake", device: "cpu", reasons: [] }) as const,
      get: async () => engine,
    };
    const hearth = createHearth({ library, engines, settings: { maxLoaded: 2 } });
    expect(hearth.library).toBe(library);
    expect(hearth.settings.maxLoaded).toBe(2);
    expect(textOf(await collect(hearth.chat({ model: "tiny", messages })))).toBe("Hello.");
    expect(textOf(await collect(hearth.complete({ model: "tiny", prompt: "x" })))).toBe("Hello.");
    expect(engine.loads).toBe(1);
    await hearth.dispose();
    expect(engine.models[0]?.disposed).toBe(true);
    await expect(collect(hearth.chat({ model: "tiny", messages }))).rejects.toMatchObject({ code: "shutting_down" });
  });

  it("does what the settings say with a prompt that is too long, unless the request says otherwise", async () => {
    const { runtime } = createTaskHouse({ contextTokens: 50, reply: "ok" });
    const hearth = createHearth({ runtime, settings: { overflow: "truncate-oldest" } });
    const long = { model: "tiny", messages: [{ role: "user", content: "word ".repeat(100) }] } as const;
    const events = await collect(hearth.chat(long));
    expect(eventOf(events, "start").receipt?.policy).toBe("truncate-oldest");
    const strict = hearth.chat({ ...long, overflow: "error" });
    await expect(collect(strict)).rejects.toMatchObject({ code: "context_too_long" });
  });

  it("embeds and reranks", async () => {
    const { runtime } = createTaskHouse({ info: { capabilities: ["embed", "rerank"] } });
    const hearth = createHearth({ runtime });
    expect((await hearth.embed({ model: "tiny", texts: ["a"] })).vectors).toHaveLength(1);
    expect((await hearth.rerank({ model: "tiny", query: "a", documents: ["a", "b"] })).results[0]?.index).toBe(0);
  });

  it("lets the engine go when the reader leaves", async () => {
    const { runtime, loaded } = createTaskHouse({ reply: ["a"] });
    const hearth = createHearth({ runtime });
    for await (const event of hearth.chat({ model: "tiny", messages, ignoreEos: true })) {
      if (event.type === "text-delta") break;
    }
    expect(loaded().running).toBe(0);
    expect(runtime.stats().running).toBe(0);
  });
});
