// Pages of a log by REST, to fill what a subscription does not replay.
import { ChatError, type ErrorCode } from "./errors.js";
import type { Server } from "./servers.js";

/** How many events are asked for at once; the server allows 1,000. */
const PAGE = 500;

export type Fetch = (url: string, init: { headers: Record<string, string>; credentials: "omit" }) => Promise<Response>;

/** Reads the events after a seq, oldest first, of a room or (without one) of the inbox. */
export async function readPage<E>(
  fetcher: Fetch,
  server: Server,
  token: string,
  room: string | undefined,
  afterSeq: number,
): Promise<E[]> {
  const path = room === undefined ? "/api/v1/inbox" : `/api/v1/chat-rooms/${room}/messages`;
  const response = await fetcher(`${server.http}${path}?afterSeq=${afterSeq}&limit=${PAGE}`, {
    headers: { Authorization: `Bearer ${token}` },
    credentials: "omit",
  });
  const answer = (await response.json().catch(() => ({}))) as { events?: E[]; code?: ErrorCode; message?: string };
  if (response.ok) return answer.events ?? [];
  const retryAfterMs = Number(response.headers.get("Retry-After")) * 1000 || 0;
  throw new ChatError(answer.code ?? "UNAVAILABLE", answer.message ?? `${path} was answered with ${response.status}`, {
    retryAfterMs,
  });
}
