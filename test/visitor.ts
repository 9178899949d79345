/** HTTP clients that may leave at any point of a request, as clients do whose network fails or whose user gives up. */
import { request as httpRequest } from "node:http";

export interface Visit {
  readonly port: number;
  readonly path: string;
  readonly body: object;
  readonly key?: string | undefined;
  /** Sends only half of the body, and waits. */
  readonly half?: boolean | undefined;
  /** Closes the connection after so long. */
  readonly afterMs?: number | undefined;
  /** Closes the connection when what has come so far is enough. */
  readonly leavesAt?: ((text: string) => boolean) | undefined;
  /** Told of what has come so far, whenever there is more. */
  readonly onText?: ((text: string) => void) | undefined;
}

export interface Received {
  /** 0: it came to no answer. */
  readonly status: number;
  readonly text: string;
  /** `broken`: the server closed the connection before its answer was whole. */
  readonly end: "whole" | "left" | "broken";
}

/** Never rejects: whatever happens to a connection is a result. */
export async function visit(options: Visit): Promise<Received> {
  const { port, path, body, key, half = false, afterMs, leavesAt, onText } = options;
  const bytes = Buffer.from(JSON.stringify(body));
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const headers = { "content-type": "application/json", "content-length": bytes.length, ...authorization };
  const outgoing = httpRequest({ host: "127.0.0.1", port, path, method: "POST", headers, agent: false });
  return await new Promise((resolve) => {
    let [status, text, left] = [0, "", false];
    const finish = (end: Received["end"]): void => {
      clearTimeout(timer);
      resolve({ status, text, end: left ? "left" : end });
    };
    const leave = (): void => {
      left = true;
      outgoing.destroy();
      finish("left");
    };
    const timer = afterMs === undefined ? undefined : setTimeout(leave, afterMs);
    outgoing.on("error", () => finish("broken"));
    outgoing.on("response", (incoming) => {
      status = incoming.statusCode ?? 0;
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => {
        text += chunk;
        onText?.(text);
        if (!left && leavesAt?.(text)) leave();
      });
      incoming.on("error", () => finish("broken"));
      incoming.on("end", () => finish("whole"));
    });
    if (half) outgoing.write(bytes.subarray(0, bytes.length / 2));
    else outgoing.end(bytes);
  });
}

/** Values of the events of a stream, of lines of JSON too; a piece that is not whole yet is left out. */
export function framesOf(text: string): unknown[] {
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.flatMap((line) => {
    const data = line.replace(/^data: /, "");
    if (data === "" || data.startsWith(":")) return [];
    return [data === "[DONE]" ? data : (JSON.parse(data) as unknown)];
  });
}
