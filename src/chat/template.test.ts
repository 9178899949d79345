import { describe, expect, it } from "vitest";
import { HearthError } from "../error.ts";
import { qwen3 } from "./__fixtures__/templates.ts";
import { strftime } from "./globals.ts";
import { compileTemplate, renderTemplate } from "./template.ts";

function render(source: string, variables: Readonly<Record<string, unknown>> = {}, timeoutMs = 1000): string {
  return renderTemplate(compileTemplate(source), variables, { limits: { timeoutMs } });
}

/** Renders, and tells how it ended and how long it took. */
function attack(source: string, variables: Readonly<Record<string, unknown>> = {}): { outcome: string; ms: number } {
  const started = performance.now();
  let outcome: string;
  try {
    outcome = render(source, variables, 60);
  } catch (error) {
    outcome = error instanceof HearthError && error.code === "template_failed" ? "refused" : String(error);
  }
  return { outcome, ms: performance.now() - started };
}

const double =
  "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}";
const long = "{% set ns = namespace(s='ax') %}{% for i in range(22) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}";

describe("a hostile template is stopped", () => {
  const bombs: Readonly<Record<string, string>> = {
    "a range without end": "{% for i in range(10**9) %}x{% endfor %}",
    "a huge step count":
      "{% for i in range(900000) %}{% for j in range(900000) %}{% set x = 1 %}{% endfor %}{% endfor %}",
    "nested loops over nothing": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "nested loops with a condition":
      "{% for i in range(99999) %}{% for j in range(99999) if false %}{% endfor %}{% endfor %}",
    "nested loops over text": "{% for i in range(3000) %}{% for j in range(3000) %}{{ i }}{% endfor %}{% endfor %}",
    "a text that doubles": `${double}{{ ns.s }}`,
    "a text that doubles and is never shown": double,
    "a list that doubles":
      "{% set ns = namespace(a=[1]) %}{% for i in range(64) %}{% set ns.a = ns.a + ns.a %}{% endfor %}",
    "a list of lists that doubles when shown":
      "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a }}",
    "the same joined to text":
      "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{% set x = 'a' ~ ns.a %}",
    "the same compared":
      "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a == 'x' }}",
    "the same as JSON":
      "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | tojson }}",
    "the same joined":
      "{% set ns = namespace(a=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}{{ ns.a | join('x') }}",
    "a list of itself": "{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}",
    "a deep list":
      "{% set ns = namespace(a=[]) %}{% for i in range(100000) %}{% set ns.a = [ns.a] %}{% endfor %}{{ ns.a | tojson }}",
    "a replacement that grows": `${long}{{ ns.s | replace('a', ns.s) }}`,
    "a replacement of nothing": `${long}{{ ns.s.replace('', ns.s) }}`,
    "a method kept for later": `${long}{% set f = ns.s.replace %}{{ f('a', ns.s) }}`,
    "a method by a computed name": `${long}{{ ns.s['repl' ~ 'ace']('a', ns.s) }}`,
    "a filter block": `${long}{% filter replace('a', ns.s) %}{{ ns.s }}{% endfilter %}`,
    "an indent of a gigabyte": "{{ 'a\nb' | indent(1000000000) }}",
    "JSON with an indent of a gigabyte": "{{ [1, [2]] | tojson(indent=500000000) }}",
    "a join with a long text": `${long}{{ ns.s | join(ns.s) }}`,
    "a split into millions": `${long}{{ ns.s.split('a') | length }}`,
    "a search for a long text": `${long}{{ ('b' ~ ns.s) in (ns.s ~ ns.s) }}`,
    "a macro that calls itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "a macro that calls itself twice":
      "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(50) }}",
    "many long texts kept": `${long}{% set ns.a = [] %}{% for i in range(5000) %}{% set ns.a = ns.a + [ns.s.upper()] %}{% endfor %}`,
  };
  it.for(Object.entries(bombs))("%s", ([, source]) => {
    const { outcome, ms } = attack(source);
    expect(outcome).toBe("refused");
    expect(ms).toBeLessThan(1000);
  });

  it("when it is too long or built to make the tokenizer slow", () => {
    expect(attack("x".repeat(300_000)).outcome).toBe("refused");
    expect(attack(`{{ 1 }}${" ".repeat(200_000)}`)).toMatchObject({ outcome: "refused" });
    expect(attack("{{ (".repeat(30_000)).outcome).toBe("refused");
  });

  it("when it breaks out of no loop", () => {
    expect(attack("{% break %}").outcome).toBe("refused");
  });
});

describe("a template has no way out", () => {
  const names = [
    "constructor",
    "__proto__",
    "prototype",
    "__class__",
    "__globals__",
    "toString",
    "valueOf",
    "__lookupGetter__",
  ];
  const owners = [
    "''",
    "1",
    "1.5",
    "[]",
    "{}",
    "true",
    "none",
    "messages",
    "messages[0]",
    "range",
    "raise_exception",
    "strftime_now",
    "namespace",
    "namespace()",
    "missing",
    "lipsum",
    "cycler",
    "self",
    "process",
    "globalThis",
  ];
  const forms = [
    "{{ O.N }}",
    "{{ O['N'] }}",
    "{{ O.N.N }}",
    "{{ O.N('return process')() }}",
    "{{ O | attr('N') }}",
    "{{ O.N.constructor('return 1')() }}",
  ];

  it("reaches nothing of the program by any name", () => {
    const inert = /^(|0|refused)$/;
    for (const owner of owners) {
      for (const name of names) {
        for (const form of forms) {
          const { outcome } = attack(form.replaceAll("O", owner).replaceAll("N", name), {
            messages: [{ content: "x" }],
          });
          expect(outcome).toMatch(inert);
        }
      }
    }
  });

  it("keeps what it is given as it was", () => {
    const messages = [{ role: "user", content: "x" }];
    attack("{% set messages[0].content = 'y' %}{% set messages = [] %}", { messages });
    attack("{% set ns = namespace(messages) %}{% set ns.content = 'z' %}", { messages });
    expect(messages).toEqual([{ role: "user", content: "x" }]);
    expect(({} as Record<string, unknown>)["content"]).toBeUndefined();
  });
});

describe("an honest template", () => {
  it("is read once", () => {
    expect(compileTemplate("one {{ x }}")).toBe(compileTemplate("one {{ x }}"));
  });

  it("is forgotten when many others were used since", () => {
    const first = compileTemplate("kept {{ x }}");
    for (let index = 0; index < 40; index++) compileTemplate(`${index} {{ x }}`);
    expect(compileTemplate("kept {{ x }}")).not.toBe(first);
  });

  it("renders a short chat in under a millisecond once warm", () => {
    const template = compileTemplate(qwen3);
    const messages = Array.from({ length: 20 }, (_, index) => ({
      role: index % 2 === 0 ? "user" : "assistant",
      content: "some words of a message",
    }));
    const times = Array.from({ length: 200 }, () => {
      const started = performance.now();
      renderTemplate(template, { messages, tools: null, add_generation_prompt: true });
      return performance.now() - started;
    }).sort((a, b) => a - b);
    expect(times[50]).toBeLessThan(1);
  });

  it("renders a chat of thousands of messages and megabytes", () => {
    const messages = Array.from({ length: 4000 }, (_, index) => ({
      role: index % 2 === 0 ? "user" : "assistant",
      content: "word ".repeat(400),
    }));
    const text = render(qwen3, { messages, tools: null, add_generation_prompt: true });
    expect(text.length).toBeGreaterThan(8_000_000);
  });

  it("may use filters, methods, blocks and JSON as usual", () => {
    expect(render("{{ 'a-b' | replace('-', '+') }} {{ 'a-b'.replace('-', '') }} {{ 'a b'.split(' ')[-1] }}")).toBe(
      "a+b ab b",
    );
    expect(
      render("{% filter upper %}a{{ 'b' }}{% endfilter %}{% filter replace('a', 'o') %}banana{% endfilter %}"),
    ).toBe("ABbonono");
    expect(render("{{ {'a': [1, 'x']} | tojson }}|{{ [1] | tojson(indent=2) }}")).toBe('{"a": [1, "x"]}|[\n  1\n]');
    expect(render("{{ [1, 2] | join(', ') }} {{ 'x' in 'axb' }} {{ 1 in [1] }} {{ range(1, 7, 2) | join }}")).toBe(
      "1, 2 true true 135",
    );
    expect(render("{% macro m(x, y='d') %}<{{ x }}{{ y }}>{% endmacro %}{{ m('a') }}{{ m('b', y='c') }}")).toBe(
      "<ad><bc>",
    );
  });

  it("tells dates in English as Python does", () => {
    const date = new Date(2026, 1, 3, 14, 5, 9);
    expect(strftime(date, "%A %a %d %e %B %b %Y %y %m %H:%M:%S %I %p %% %Q")).toBe(
      "Tuesday Tue 03  3 February Feb 2026 26 02 14:05:09 02 PM % %Q",
    );
  });
});
