import type { RouteRequest } from "../route.ts";
import type { Caller } from "./request.ts";

export function callerOf({ tenant, priority, signal }: RouteRequest): Caller {
  return { tenant, signal, ...(priority && { priority }) };
}
