import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { HearthError } from "../../src/error.ts";
import type { ChatEvent } from "../../src/spec/event.ts";
import { answerWith, createFakeHearth } from "./fake-hearth.ts";
import { hearth, start, temporaryFolder } from "./run-main.ts";

const reasoning: readonly ChatEvent[] = [{ type: "reasoning-delta", index: 0, text: "Let me think." }];

describe("hearth run MODEL PROMPT", () => {
  test("only the answer is on stdout", async () => {
    const fake = createFakeHearth();
    const { code, stdout } = await hearth(["run", "tiny", "What is the capital of France?"], { hearth: fake });
    expect(code).toBe(0);
    expect(stdout).toBe("Paris is the capital.\n");
    expect(fake.requests[0]?.messages).toEqual([{ role: "user", content: "What is the capital of France?" }]);
  });

  test("the words of the prompt need no quotes", async () => {
    const fake = createFakeHearth();
    await hearth(["run", "tiny", "why", "is", "the", "sky", "blue?"], { hearth: fake });
    expect(fake.requests[0]?.messages[0]?.content).toBe("why is the sky blue?");
  });

  test("after -- a word that looks like a flag is part of the prompt", async () => {
    const fake = createFakeHearth();
    await hearth(["run", "tiny", "--", "what", "does", "--verbose", "do?"], { hearth: fake });
    expect(fake.requests[0]?.messages[0]?.content).toBe("what does --verbose do?");
  });

  test("a missing model is fetched first, with progress on stderr only", async () => {
    const fake = createFakeHearth({ installed: [], available: ["tiny:1b"] });
    const { stdout, stderr } = await hearth(["run", "tiny", "Hello"], { hearth: fake });
    expect(fake.pulled).toEqual(["tiny:1b"]);
    expect(stdout).toBe("Paris is the capital.\n");
    expect(stderr).toContain("fetching tiny:1b");
    expect(stderr).toContain("50%  512 B of 1.0 KiB");
  });

  test("a model that exists nowhere is an error, and nothing is generated", async () => {
    const fake = createFakeHearth();
    const { code, stdout, stderr } = await hearth(["run", "gone", "Hello"], { hearth: fake });
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain('There is no model "gone".');
    expect(fake.requests).toEqual([]);
  });

  test("flags become options of the request", async () => {
    const fake = createFakeHearth();
    const schema = join(temporaryFolder(), "schema.json");
    writeFileSync(schema, '{"type":"object"}');
    const flags =
      `--temperature 0 --top-k 5 --top-p 0.5 --min-p 0.1 --repeat-penalty 1.1 --seed 7 --max-tokens 9 --stop A ` +
      `--stop B --system Short. --think=low --keep-alive 10m --overflow truncate-oldest --format ${schema} --adapter ${schema}:0.5`;
    const { code } = await hearth(["run", "tiny", "Hi", ...flags.split(" ")], { hearth: fake });
    expect(code).toBe(0);
    expect(fake.requests[0]).toMatchObject({
      model: "tiny:1b",
      messages: [
        { role: "system", content: "Short." },
        { role: "user", content: "Hi" },
      ],
      sampling: { temperature: 0, topK: 5, topP: 0.5, minP: 0.1, repeatPenalty: 1.1, seed: 7 },
      maxTokens: 9,
      stop: ["A", "B"],
      think: "low",
      keepAliveMs: 600_000,
      overflow: "truncate-oldest",
      format: { type: "json-schema", schema: { type: "object" } },
      load: { adapters: [{ path: schema, scale: 0.5 }] },
    });
  });

  test("--think alone means yes, and does not swallow the prompt", async () => {
    const fake = createFakeHearth();
    await hearth(["run", "--think", "tiny", "Hi"], { hearth: fake });
    expect(fake.requests[0]).toMatchObject({ model: "tiny:1b", think: true });
  });

  test("reasoning goes to stderr, and nowhere with --hidethinking", async () => {
    const options = { hearth: createFakeHearth({ answer: () => answerWith("Yes.", reasoning) }) };
    const shown = await hearth(["run", "tiny", "Hi"], options);
    expect(shown.stdout).toBe("Yes.\n");
    expect(shown.stderr).toContain("Let me think.");
    const hidden = await hearth(["run", "tiny", "Hi", "--hidethinking"], options);
    expect(hidden.stdout).toBe("Yes.\n");
    expect(hidden.stderr).not.toContain("think");
  });

  test("--verbose reports counts and rates on stderr", async () => {
    const { stdout, stderr } = await hearth(["run", "tiny", "Hi", "--verbose"], { hearth: createFakeHearth() });
    expect(stdout).toBe("Paris is the capital.\n");
    expect(stderr).toMatch(/prompt rate +200\.0 tokens\/s/);
    expect(stderr).toMatch(/answer rate +20\.0 tokens\/s/);
  });

  test("--json prints one object with text, usage and timings", async () => {
    const fake = createFakeHearth({ answer: () => answerWith("Yes.", reasoning) });
    const { code, stdout } = await hearth(["run", "tiny", "Hi", "--json"], { hearth: fake });
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      model: "tiny:1b",
      text: "Yes.",
      reasoning: "Let me think.",
      finishReason: "stop",
      usage: { promptTokens: 20, cachedTokens: 0, completionTokens: 10 },
      timings: { queueMs: 0, loadMs: 0, promptMs: 100, generateMs: 500, totalMs: 600 },
    });
  });

  test("what an overflow policy dropped is told on stderr", async () => {
    async function* answer(): AsyncIterable<ChatEvent> {
      const receipt = {
        policy: "truncate-oldest",
        droppedTokens: 120,
        droppedMessages: 3,
        promptTokensBefore: 200,
        promptTokensAfter: 80,
      } as const;
      yield { type: "start", model: "tiny:1b", receipt };
      yield* answerWith("Yes.");
    }
    const { stdout, stderr } = await hearth(["run", "tiny", "Hi"], { hearth: createFakeHearth({ answer }) });
    expect(stdout).toBe("Yes.\n");
    expect(stderr).toContain("truncate-oldest dropped 120 tokens of 3 messages");
  });

  test("what the terminal would obey is taken out of an answer on a terminal, and left in a file", async () => {
    const fake = createFakeHearth({ answer: () => answerWith("\u001b]0;owned\u0007ok") });
    const shown = await hearth(["run", "tiny", "Hi"], { hearth: fake, terminal: { stdout: true } });
    expect(shown.stdout).toBe("]0;ownedok\n");
    const written = await hearth(["run", "tiny", "Hi"], { hearth: fake });
    expect(written.stdout).toBe("\u001b]0;owned\u0007ok\n");
  });

  test("an error in the middle of an answer ends its line, and is told on stderr", async () => {
    async function* answer(): AsyncIterable<ChatEvent> {
      yield { type: "start", model: "tiny:1b" };
      yield { type: "text-delta", index: 0, text: "Par" };
      throw new HearthError("engine_failed", "The engine died.");
    }
    const { code, stdout, stderr } = await hearth(["run", "tiny", "Hi"], { hearth: createFakeHearth({ answer }) });
    expect(code).toBe(1);
    expect(stdout).toBe("Par\n");
    expect(stderr).toContain("The engine died.");
  });

  test("Ctrl-C stops the answer and exits with 130", async () => {
    const stop = new AbortController();
    let stopped = false;
    const fake = createFakeHearth({
      async *answer({ signal }) {
        try {
          yield { type: "start", model: "tiny:1b" };
          for (;;) {
            yield { type: "text-delta", index: 0, text: "la " };
            stop.abort(new HearthError("aborted", "Interrupted."));
            signal?.throwIfAborted();
          }
        } finally {
          stopped = true;
        }
      },
    });
    const { code, stdout } = await hearth(["run", "tiny", "Sing"], { hearth: fake, signal: stop.signal });
    expect(code).toBe(130);
    expect(stdout).toBe("la \n");
    expect(stopped).toBe(true);
  });
});

describe("hearth run with a pipe", () => {
  test("the prompt may come from stdin", async () => {
    const fake = createFakeHearth();
    const { stdout } = await hearth(["run", "tiny"], { hearth: fake, stdin: "What is the capital of France?\n" });
    expect(stdout).toBe("Paris is the capital.\n");
    expect(fake.requests[0]?.messages[0]?.content).toBe("What is the capital of France?\n");
  });

  test("- puts what is piped after the question", async () => {
    const fake = createFakeHearth();
    await hearth(["run", "tiny", "Sum up:", "-"], { hearth: fake, stdin: "a long text" });
    expect(fake.requests[0]?.messages[0]?.content).toBe("Sum up:\n\na long text");
  });

  test("with a prompt, a stdin that never ends is not waited for", async () => {
    const { done } = start(["run", "tiny", "Hi"], { hearth: createFakeHearth() });
    expect((await done).stdout).toBe("Paris is the capital.\n");
  });

  test("an empty stdin asks nothing, but makes the model ready", async () => {
    const fake = createFakeHearth({ installed: [], available: ["tinyllama:1.1b"] });
    const { code, stdout } = await hearth([], { hearth: fake });
    expect(code).toBe(0);
    expect(stdout).toBe("");
    expect(fake.pulled).toEqual(["tinyllama:1.1b"]);
    expect(fake.acquired).toHaveLength(1);
    expect(fake.requests).toEqual([]);
  });

  test("Ctrl-C while waiting for stdin exits with 130", async () => {
    const stop = new AbortController();
    const { done } = start(["run", "tiny"], { hearth: createFakeHearth(), signal: stop.signal });
    setImmediate(() => stop.abort(new HearthError("aborted", "Interrupted.")));
    expect((await done).code).toBe(130);
  });

  test("--json without a prompt at a terminal is a usage error", async () => {
    const terminal = { stdin: true, stdout: true };
    const { code, stderr } = await hearth(["run", "tiny", "--json"], { hearth: createFakeHearth(), terminal });
    expect(code).toBe(2);
    expect(stderr).toContain("--json needs a prompt.");
  });
});
