/** `POST /sleep` {model}: an idle model gives its memory back until the next request. What `hearth sleep` asks for. */
import { z } from "zod";
import type { Route } from "../dialects/route.ts";
import { parseBody } from "../dialects/shared/body.ts";

const schema = z.object({ model: z.string().trim().min(1).max(2048) });

export const sleepRoute: Route = {
  method: "POST",
  path: "/sleep",
  access: "infer",
  async handle({ body }, { runtime }) {
    const { model } = parseBody(schema, body);
    await runtime.sleep(model);
    return { kind: "json", body: { model, asleep: true } };
  },
};
