import { describe, expect, it } from "vitest";
import { promptText } from "../../test/prompt-texts.ts";
import { fakeInfo } from "../../test/fake-library.ts";
import type { Tool } from "../spec/message.ts";
import { deepseekR1, mistral, qwen3 } from "./__fixtures__/templates.ts";
import { chooseTools, forcedFormat } from "./choice.ts";
import { renderChat } from "./render.ts";

const a: Tool = { name: "a", parameters: { type: "object", properties: { x: { type: "integer" } }, required: ["x"] } };
const b: Tool = { name: "b", parameters: {} };

describe("the choice of tools", () => {
  it("none: the model is told of no tool", () => {
    expect(chooseTools([a, b], "none")).toEqual({ tools: [] });
  });

  it("auto: the model decides", () => {
    expect(chooseTools([a, b])).toEqual({ tools: [a, b] });
    expect(chooseTools(undefined)).toEqual({ tools: [] });
  });

  it("required or a name: one of them must be called", () => {
    expect(chooseTools([a, b], "required").forced).toEqual([a, b]);
    expect(chooseTools([a, b], { name: "b" }).forced).toEqual([b]);
  });

  it("is refused when it names nothing that is offered", () => {
    expect(() => chooseTools([a], { name: "c" })).toThrow('the tool "c"');
    expect(() => chooseTools([], "required")).toThrow("does not offer it");
  });

  it("is refused for names that cannot be, or that are there twice", () => {
    expect(() => chooseTools([{ ...a, name: 'x"}' }])).toThrow("cannot be the name");
    expect(() => chooseTools([a, a])).toThrow("listed twice");
  });
});

describe("an enforced call", () => {
  it("has a schema that leaves nothing but a call of one of the tools", () => {
    expect(forcedFormat([a], "hermes")).toEqual({
      type: "json-schema",
      schema: {
        type: "object",
        properties: { name: { const: "a" }, arguments: a.parameters },
        required: ["name", "arguments"],
        additionalProperties: false,
      },
    });
    expect(forcedFormat([a, b], "llama3")).toMatchObject({
      schema: { oneOf: [{ properties: { parameters: a.parameters } }, { properties: { name: { const: "b" } } }] },
    });
  });

  it("begins with the opening of the family", () => {
    const end = (chatTemplate: string): string => {
      const { parts } = renderChat({
        info: fakeInfo({ chatTemplate }),
        messages: [{ role: "user", content: "x" }],
        tools: [a],
        forceCall: true,
      });
      return promptText(parts).slice(-40);
    };
    expect(end(qwen3)).toMatch(/<\|im_start\|>assistant\n<tool_call>\n$/);
    expect(end(mistral)).toMatch(/\[\/INST\]\[TOOL_CALLS\]\[$/);
    expect(end(deepseekR1)).toMatch(/<think>\n<\/think>\n\n$/);
  });

  it("and an answer under a grammar begin in the right channel of harmony", () => {
    const chatTemplate =
      "{% for tool in tools or [] %}{{ tool.function.name }}{% endfor %}{{ messages[-1].content }}<|start|>assistant{# <|channel|> #}";
    const info = fakeInfo({ chatTemplate });
    const { parts, format } = renderChat({ info, messages: [{ role: "user", content: "x" }], answerNow: true });
    expect(format).toBe("harmony");
    expect(promptText(parts)).toBe("x<|start|>assistant<|channel|>final<|message|>");
  });
});
