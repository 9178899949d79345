import { expect, test } from "vitest";
import { collect, createTaskHouse } from "../../test/task-house.ts";
import type { AcquireRequest, Runtime } from "../runtime/contract.ts";
import { chat } from "./chat.ts";
import { complete } from "./complete.ts";
import { embed } from "./embed.ts";
import { rerank } from "./rerank.ts";

/** The runtime, and what is asked of it. */
function watched(runtime: Runtime): { readonly runtime: Runtime; readonly asked: AcquireRequest[] } {
  const asked: AcquireRequest[] = [];
  const acquire: Runtime["acquire"] = async (request) => {
    asked.push(request);
    return await runtime.acquire(request);
  };
  return { runtime: { ...runtime, acquire }, asked };
}

const who = { model: "tiny", tenant: "ann", priority: "batch" } as const;

test("whose a request is and how urgent decides when it gets its turn, whatever the task", async () => {
  const house = createTaskHouse({ info: { capabilities: ["chat", "generate", "embed", "rerank"] } });
  const { runtime, asked } = watched(house.runtime);
  await collect(chat(runtime, { ...who, messages: [{ role: "user", content: "hi" }] }));
  await collect(complete(runtime, { ...who, prompt: "hi" }));
  await embed(runtime, { ...who, texts: ["hi"] });
  await rerank(runtime, { ...who, query: "hi", documents: ["hi"] });
  expect(asked).toHaveLength(4);
  for (const request of asked) expect(request).toMatchObject({ tenant: "ann", priority: "batch" });
});

test("the engine learns how urgent a generation is, or nothing where nothing was said", async () => {
  const { runtime, lastRequest } = createTaskHouse();
  await collect(chat(runtime, { ...who, messages: [{ role: "user", content: "hi" }] }));
  expect(lastRequest().priority).toBe("batch");
  await collect(complete(runtime, { ...who, prompt: "hi" }));
  expect(lastRequest().priority).toBe("batch");
  await collect(complete(runtime, { model: "tiny", prompt: "hi" }));
  expect(lastRequest()).not.toHaveProperty("priority");
});
