/** The child's end of the messages. */
import { childFiles, createLink } from "./link.ts";
import type { HostReply, HostRequest } from "./protocol.ts";

export interface Mailbox {
  readonly post: (reply: HostReply) => void;
  /** Hands on what is not about the messages themselves. */
  readonly receive: (requests: readonly HostRequest[], handle: (request: Handled) => void) => void;
}

export type Handled = Exclude<HostRequest, { readonly type: "parcels" | "taken" }>;

export function createMailbox(): Mailbox {
  const replies: HostReply[] = [];
  let link = createLink(undefined);
  // What happens in one turn of the event loop goes as one message: with many sequences, many tokens do.
  const flush = (): void => {
    if (replies.length === 0 && !link.urgent) return;
    process.send?.(link.pack(replies.splice(0)), undefined, undefined, () => {});
  };
  return {
    post(reply) {
      if (replies.push(reply) === 1) setImmediate(flush);
      // Some libraries compute in this thread: the next request must not begin before this one is answered.
      if (reply.type === "result" || reply.type === "error") process.nextTick(flush);
    },
    receive(requests, handle) {
      for (const request of requests) {
        if (request.type === "parcels") link = createLink(childFiles);
        else if (request.type === "taken") link.free(request.places);
        else handle(link.unpack(request));
        if (request.type === "ping") link.trim();
      }
      if (link.urgent) setImmediate(flush);
    },
  };
}
