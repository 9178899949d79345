/** Templates for models that bring none, and for recognizing templates of another language. */
import { HearthError } from "../error.ts";
import type { ModelInfo } from "../spec/model.ts";
import type { ModelOverrides } from "../spec/model.ts";

/** ChatML: for models whose vocabulary has its tokens. */
export const chatmlTemplate: string =
  "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** The documented fallback: headings in plain text, for models without a template and without chat tokens. */
export const plainTemplate: string =
  "{% for message in messages %}### {{ message.role | capitalize }}:\n{{ message.content }}\n\n{% endfor %}" +
  "{% if add_generation_prompt %}### Assistant:\n{% endif %}";

/** A plain model does not know when to stop; the next heading is where its answer ends. */
export const plainStops: readonly string[] = ["\n### User:", "\n### System:"];

export interface TemplateChoice {
  readonly source: string;
  readonly from: "request" | "override" | "model" | "chatml" | "plain";
}

/** The template of a request: its own, else the one set for the model, else the model's, else a fallback. */
export function chooseTemplate(
  info: ModelInfo,
  overrides: ModelOverrides | undefined,
  requested: string | undefined,
): TemplateChoice {
  if (requested !== undefined) {
    if (isGoTemplate(requested)) {
      throw new HearthError("template_failed", "The template is a Go template; chat templates are written in Jinja.", {
        hint: "Leave the template out to use the one in the model file.",
      });
    }
    return { source: requested, from: "request" };
  }
  // Models adopted from other tools may carry a Go template beside the Jinja one in the file; only the latter is used.
  const override = overrides?.template;
  if (override !== undefined && override.trim() !== "" && !isGoTemplate(override)) {
    return { source: override, from: "override" };
  }
  if (info.chatTemplate !== undefined && info.chatTemplate.trim() !== "") {
    return { source: info.chatTemplate, from: "model" };
  }
  const chatml = ["<|im_start|>", "<|im_end|>"].every((token) => info.specialTokens.includes(token));
  return chatml ? { source: chatmlTemplate, from: "chatml" } : { source: plainTemplate, from: "plain" };
}

/** Go templates name their fields with a leading dot: `{{ .Prompt }}`, `{{- if .System }}`. */
export function isGoTemplate(source: string): boolean {
  return /\{\{-? ?(?:(?:if|range|with|else if|template|not) )?(?:\(? ?(?:not|and|or|eq|len) )?[.$][A-Za-z]/.test(
    source,
  );
}
