import type { AcquireRequest, Lease, Runtime } from "../runtime/contract.ts";
import type { TaskOptions } from "../spec/task.ts";

export async function acquire(runtime: Runtime, request: TaskOptions, signal?: AbortSignal): Promise<Lease> {
  const { model, load, keepAliveMs, tenant, priority } = request;
  const wanted: AcquireRequest = {
    model,
    ...(load && { load }),
    ...(keepAliveMs !== undefined && { keepAliveMs }),
    ...(tenant !== undefined && { tenant }),
    ...(priority && { priority }),
    ...(signal && { signal }),
  };
  return await runtime.acquire(wanted);
}

/** Runs work on a loaded model and gives the turn back, whatever happens. */
export async function withLease<T>(
  runtime: Runtime,
  request: TaskOptions,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const lease = await acquire(runtime, request, request.signal);
  try {
    return await work(lease);
  } finally {
    lease.release();
  }
}
