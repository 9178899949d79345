/** What all tasks share: body → options of the typed library. */
import type { LoadOptions } from "../../spec/engine.ts";
import type { OutputFormat } from "../../spec/sampling.ts";
import type { ChatRequest, GenerationOptions, TaskOptions } from "../../spec/task.ts";
import type { RouteRequest } from "../route.ts";
import { badField } from "../shared/body.ts";
import { defined } from "../shared/defined.ts";
import { parseKeepAlive } from "../shared/duration.ts";
import { unsupported } from "./fields.ts";
import { toModelOptions } from "./options.ts";
import type { GenerationBody } from "./schema.ts";

export function toGenerationOptions(body: GenerationBody, request: RouteRequest): GenerationOptions {
  if (body._debug_render_only) throw unsupported("_debug_render_only", "prompts are not handed out");
  if (body.shift) throw unsupported("shift", "an answer that fills the context ends with done_reason length");
  const { sampling, load, maxTokens, stop } = toModelOptions(body.options, body.truncate === true);
  return {
    ...toTaskOptions(body, load, request),
    ...defined({
      sampling,
      maxTokens,
      stop,
      format: toFormat(body.format),
      topLogprobs: toTopLogprobs(body),
      // Ollama cuts prompts in silence unless told not to; here it happens only when asked for, and with a receipt.
      overflow: toOverflow(body.truncate),
    }),
  };
}

export interface TaskBody {
  readonly model: string;
  readonly keep_alive?: string | number | null | undefined;
}

export function toTaskOptions(body: TaskBody, load: LoadOptions, request: RouteRequest): TaskOptions {
  const keepAlive = body.keep_alive ?? "";
  return {
    model: body.model,
    tenant: request.tenant,
    ...(request.priority && { priority: request.priority }),
    signal: request.signal,
    ...(Object.keys(load).length > 0 ? { load } : {}),
    ...(keepAlive === "" ? {} : { keepAliveMs: parseKeepAlive(keepAlive) }),
  };
}

export function toThink(think: GenerationBody["think"]): ChatRequest["think"] {
  // The highest effort that templates know is `high`.
  return think === "max" ? "high" : (think ?? undefined);
}

function toFormat(format: GenerationBody["format"]): OutputFormat | undefined {
  if (format === "json") return { type: "json" };
  return typeof format === "object" && format !== null ? { type: "json-schema", schema: format } : undefined;
}

function toTopLogprobs(body: GenerationBody): number | undefined {
  if (body.logprobs) return body.top_logprobs ?? 0;
  if (body.top_logprobs) throw badField("top_logprobs", "needs logprobs: true");
  return undefined;
}

function toOverflow(truncate: boolean | null | undefined): GenerationOptions["overflow"] {
  if (typeof truncate !== "boolean") return undefined;
  return truncate ? "truncate-oldest" : "error";
}
