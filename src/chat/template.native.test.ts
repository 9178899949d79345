/** Templates that run for as long as they may: too slow for the fast tests. */
import { expect, it } from "vitest";
import { compileTemplate, renderTemplate } from "./template.ts";

it("a hostile template is stopped within about a second when nobody says otherwise", () => {
  const started = performance.now();
  const source = "{% for i in range(3000) %}{% for j in range(3000) %}{{ i }}{% endfor %}{% endfor %}";
  expect(() => renderTemplate(compileTemplate(source), {})).toThrow(/ran for more than 1000 ms|took more than/);
  expect(performance.now() - started).toBeLessThan(3000);
});
