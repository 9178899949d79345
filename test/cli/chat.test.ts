import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { HearthError } from "../../src/error.ts";
import type { ChatEvent } from "../../src/spec/event.ts";
import { answerWith, createFakeHearth, type FakeHearth } from "./fake-hearth.ts";
import { start, type Live, type Outcome, type RunOptions, temporaryFolder } from "./run-main.ts";

const terminal = { stdin: true, stdout: true, stderr: true };

function open(hearth: FakeHearth, options: RunOptions = {}, words: readonly string[] = ["run", "tiny"]): Live {
  return start(words, { hearth, terminal, ...options });
}

/** Types each line when the chat asks for one, and leaves. */
async function chat(hearth: FakeHearth, lines: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const live = open(hearth, options);
  for (const line of lines) {
    await live.see(line.includes("\n") ? ">>> " : "> ".trim());
    live.type(`${line}\r`);
  }
  await live.see("> ".trim());
  live.type("/bye\r");
  const { code, stdout, stderr } = await live.done;
  return { code, stdout: stripVTControlCharacters(stdout), stderr: stripVTControlCharacters(stderr) };
}

describe("the chat at a terminal", () => {
  test("hearth alone opens it with the default model, which is fetched first", async () => {
    const fake = createFakeHearth({ installed: [], available: ["tinyllama:1.1b"] });
    const live = open(fake, {}, []);
    await live.see(">>> ");
    live.type("Hello\r");
    await live.see("Paris is the capital.");
    await live.see(">>> ");
    live.type("/bye\r");
    expect((await live.done).code).toBe(0);
    expect(fake.pulled).toEqual(["tinyllama:1.1b"]);
  });

  test("it remembers what was said", async () => {
    const fake = createFakeHearth();
    const live = open(fake);
    for (const line of ["One", "Two"]) {
      await live.see(">>> ");
      live.type(`${line}\r`);
      await live.see("capital.");
    }
    await live.see(">>> ");
    live.type("/bye\r");
    await live.done;
    expect(fake.requests[1]?.messages).toEqual([
      { role: "user", content: "One" },
      { role: "assistant", content: "Paris is the capital." },
      { role: "user", content: "Two" },
    ]);
  });

  test("Ctrl-D leaves with exit code 0", async () => {
    const live = open(createFakeHearth());
    await live.see(">>> ");
    live.type("\u0004");
    expect((await live.done).code).toBe(0);
  });

  test("Ctrl-C stops the answer, keeps what was said, and asks again", async () => {
    let stopped = false;
    const fake = createFakeHearth({
      async *answer(request) {
        if (request.messages.length > 1) {
          yield* answerWith("Fine.");
          return;
        }
        yield { type: "start", model: "tiny:1b" };
        yield { type: "text-delta", index: 0, text: "la la" };
        await new Promise((_resolve, reject) => {
          request.signal?.addEventListener("abort", () => {
            stopped = true;
            reject(new HearthError("aborted", "The request was cancelled."));
          });
        });
      },
    });
    const live = open(fake);
    await live.see(">>> ");
    live.type("Sing\r");
    await live.see("la la");
    live.type("\u0003");
    await live.see(">>> ");
    expect(stopped).toBe(true);
    live.type("Go on\r");
    await live.see("Fine.");
    await live.see(">>> ");
    live.type("\u0004");
    const { code, stderr } = await live.done;
    expect(code).toBe(0);
    expect(stderr).not.toContain("cancelled");
    expect(fake.requests[1]?.messages[1]).toEqual({ role: "assistant", content: "la la" });
  });

  test("Ctrl-C at the prompt drops the line and says how to leave", async () => {
    const fake = createFakeHearth();
    const live = open(fake);
    await live.see(">>> ");
    live.type("half a line\u0003");
    await live.see(">>> ");
    live.type("\u0003");
    await live.see("Ctrl-D or /bye leaves.");
    live.type("whole\r");
    await live.see("capital.");
    await live.see(">>> ");
    live.type("/bye\r");
    await live.done;
    expect(fake.requests.map(({ messages }) => messages.at(-1)?.content)).toEqual(["whole"]);
  });

  test("SIGTERM leaves the chat with 130", async () => {
    const stop = new AbortController();
    const live = open(createFakeHearth(), { signal: stop.signal });
    await live.see(">>> ");
    stop.abort(new HearthError("aborted", "Interrupted."));
    expect((await live.done).code).toBe(130);
  });

  test('lines between """ are one message', async () => {
    const fake = createFakeHearth();
    const live = open(fake);
    await live.see(">>> ");
    live.type('"""\r');
    await live.see("... ");
    live.type("first\r");
    await live.see("... ");
    live.type('second"""\r');
    await live.see("capital.");
    await live.see(">>> ");
    live.type("/bye\r");
    await live.done;
    expect(fake.requests[0]?.messages[0]?.content).toBe("first\nsecond");
  });

  test("a pasted text of many lines is one message", async () => {
    const fake = createFakeHearth();
    const live = open(fake);
    await live.see(">>> ");
    live.type("\u001b[200~first\nsecond\nthird\u001b[201~\r");
    await live.see("capital.");
    await live.see(">>> ");
    live.type("/bye\r");
    await live.done;
    expect(fake.requests.map(({ messages }) => messages[0]?.content)).toEqual(["first\nsecond\nthird"]);
  });

  test("lines that arrive all at once are answered one after the other", async () => {
    const fake = createFakeHearth();
    const live = open(fake);
    live.type("One\rTwo\r/bye\r");
    expect((await live.done).code).toBe(0);
    expect(fake.requests.map(({ messages }) => messages.at(-1)?.content)).toEqual(["One", "Two"]);
  });

  test("an error is told, and the chat goes on without the question that got no answer", async () => {
    let calls = 0;
    const fake = createFakeHearth({
      answer() {
        calls++;
        if (calls === 1) throw new HearthError("context_too_long", "The prompt has 5000 tokens; 4096 fit.");
        return answerWith("Fine.");
      },
    });
    const live = open(fake);
    await live.see(">>> ");
    live.type("Long\r");
    await live.see(">>> ");
    live.type("Short\r");
    await live.see("Fine.");
    await live.see(">>> ");
    live.type("/bye\r");
    const { stderr } = await live.done;
    expect(stderr).toContain("The prompt has 5000 tokens; 4096 fit.");
    expect(fake.requests[1]?.messages).toEqual([{ role: "user", content: "Short" }]);
  });

  test("reasoning is shown dimmed before the answer", async () => {
    const extra: readonly ChatEvent[] = [{ type: "reasoning-delta", index: 0, text: "Hm." }];
    const live = open(createFakeHearth({ answer: () => answerWith("Yes.", extra) }));
    await live.see(">>> ");
    live.type("Hi\r");
    await live.see("\u001b[2mHm.\u001b[22m\nYes.\n");
    live.type("/bye\r");
    expect((await live.done).code).toBe(0);
  });
});

describe("slash commands", () => {
  test("/set parameter, /set system, /set format and /set think change the next request", async () => {
    const fake = createFakeHearth();
    await chat(fake, [
      "/set parameter temperature 0.5",
      "/set parameter num_predict 12",
      "/set parameter num_ctx 1024",
      "/set parameter stop END",
      '/set system "Be brief."',
      "/set format json",
      "/set think high",
      "Hello",
    ]);
    expect(fake.requests[0]).toMatchObject({
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hello" },
      ],
      sampling: { temperature: 0.5 },
      maxTokens: 12,
      stop: ["END"],
      load: { contextTokens: 1024 },
      format: { type: "json" },
      think: "high",
    });
  });

  test("/set noformat, nothink and an empty system message undo them", async () => {
    const fake = createFakeHearth();
    await chat(fake, ["/set format json", "/set noformat", "/set nothink", "/set system x", "/set system", "Hello"]);
    expect(fake.requests[0]).not.toHaveProperty("format");
    expect(fake.requests[0]).toMatchObject({ think: false, messages: [{ role: "user", content: "Hello" }] });
  });

  test("mistakes are told with what was probably meant, and change nothing", async () => {
    const fake = createFakeHearth();
    const { stderr } = await chat(fake, [
      "/shwo info",
      "/set sytem x",
      "/set parameter temprature 1",
      "/set parameter seed many",
      "/show licence",
      "/load",
      "/save ../x",
      "Hello",
    ]);
    expect(stderr).toContain('There is no command "/shwo". Did you mean "/show"');
    expect(stderr).toContain('"sytem" cannot be set. Did you mean "system"?');
    expect(stderr).toContain('There is no parameter "temprature". Did you mean "temperature"?');
    expect(stderr).toContain('seed is "many"; it must be a number.');
    expect(stderr).toContain('"licence" cannot be shown. Did you mean "license"?');
    expect(stderr).toContain("/load needs the name of a session or a model.");
    expect(stderr).toContain('"../x" cannot be the name of a session.');
    expect(fake.requests[0]).toMatchObject({ sampling: {} });
  });

  test("/show says what the model is and what is set", async () => {
    const { stdout } = await chat(createFakeHearth(), [
      "/show info",
      "/show template",
      "/show license",
      "/show system",
      "/set parameter top_k 3",
      "/show parameters",
    ]);
    expect(stdout).toMatch(/architecture +llama/);
    expect(stdout).toContain("{{ messages }}");
    expect(stdout).toContain("apache-2.0");
    expect(stdout).toContain("There is no system message.");
    expect(stdout).toMatch(/top-k +3/);
  });

  test("/clear forgets the conversation", async () => {
    const fake = createFakeHearth();
    await chat(fake, ["One", "/clear", "Two"]);
    expect(fake.requests[1]?.messages).toEqual([{ role: "user", content: "Two" }]);
  });

  test("/load MODEL changes the model and keeps the conversation", async () => {
    const fake = createFakeHearth({ available: ["other:7b"] });
    await chat(fake, ["One", "/load other", "Two"]);
    expect(fake.pulled).toEqual(["other:7b"]);
    expect(fake.requests[1]?.model).toBe("other:7b");
    expect(fake.requests[1]?.messages).toHaveLength(3);
  });

  test("/save and /load bring a session back on another day", async () => {
    const env = { HEARTH_DATA: temporaryFolder() };
    const first = createFakeHearth();
    await chat(first, ["/set parameter seed 5", "/set system Brief.", "One", "/save monday"], { env });
    const second = createFakeHearth();
    const { stdout } = await chat(second, ["/load monday", "Two"], { env });
    expect(stdout).toContain("Session monday with tiny:1b, 2 messages.");
    expect(second.requests[0]).toMatchObject({
      sampling: { seed: 5 },
      messages: [
        { role: "system", content: "Brief." },
        { role: "user", content: "One" },
        { role: "assistant", content: "Paris is the capital." },
        { role: "user", content: "Two" },
      ],
    });
  });

  test("a file that is no session is an error, not a crash", async () => {
    const env = { HEARTH_DATA: temporaryFolder() };
    await chat(createFakeHearth(), ["/save good"], { env });
    writeFileSync(join(env.HEARTH_DATA, "sessions", "bad.json"), '{"version":1}');
    const { stderr } = await chat(createFakeHearth(), ["/load bad"], { env });
    expect(stderr).toContain("bad.json is not a saved session.");
  });

  test("/set verbose reports rates after each answer", async () => {
    const { stderr } = await chat(createFakeHearth(), ["/set verbose", "Hello"]);
    expect(stderr).toContain("tokens/s");
  });

  test("/? lists the commands", async () => {
    const { stdout } = await chat(createFakeHearth(), ["/?"]);
    for (const name of ["/set NAME VALUE", "/set nohistory", "/show license", "/load NAME", "/clear", "/bye"]) {
      expect(stdout).toContain(name);
    }
  });
});

describe("history", () => {
  test("what was typed is there the next time, readable for its owner only", async () => {
    const env = { HEARTH_DATA: temporaryFolder() };
    await chat(createFakeHearth(), ["Hello there"], { env });
    expect(readFileSync(join(env.HEARTH_DATA, "history"), "utf8")).toBe("Hello there\n/bye\n");
    const fake = createFakeHearth();
    const live = open(fake, { env });
    await live.see(">>> ");
    live.type("\u001b[A\u001b[A\r");
    await live.see("capital.");
    await live.see(">>> ");
    live.type("/bye\r");
    await live.done;
    expect(fake.requests[0]?.messages[0]?.content).toBe("Hello there");
  });

  test("after /set nohistory nothing is written", async () => {
    const env = { HEARTH_DATA: temporaryFolder() };
    await chat(createFakeHearth(), ["/set nohistory", "secret"], { env });
    const written = readdirSync(env.HEARTH_DATA).includes("history")
      ? readFileSync(join(env.HEARTH_DATA, "history"), "utf8")
      : "";
    expect(written).not.toContain("secret");
  });
});
