// What can go wrong, in the words of the server's contract and two of our own.

/** The server's codes; besides, DISCONNECTED (the client was stopped first) and QUEUE_FULL (too much is waiting). */
export type ErrorCode =
  | "UNAUTHENTICATED"
  | "TOKEN_EXPIRED"
  | "FORBIDDEN"
  | "INVALID"
  | "TOO_LARGE"
  | "RATE_LIMITED"
  | "SLOW_CONSUMER"
  | "UNAVAILABLE"
  | "INTERNAL"
  | "DISCONNECTED"
  | "QUEUE_FULL";

/** What a refusal is about, where that is known. */
export interface ErrorDetails {
  /** How long to wait before trying again, in milliseconds; 0 where the server names no time. */
  retryAfterMs?: number;
  destination?: string;
  clientMessageId?: string;
}

/** Every promise of the client rejects with one of these, and `error` events carry one. */
export class ChatError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number;
  readonly destination?: string;
  readonly clientMessageId?: string;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = "ChatError";
    this.code = code;
    this.retryAfterMs = details.retryAfterMs ?? 0;
    this.destination = details.destination;
    this.clientMessageId = details.clientMessageId;
  }
}

/** Whether the same thing may well succeed a little later. */
export function isTransient(code: ErrorCode): boolean {
  return code === "RATE_LIMITED" || code === "UNAVAILABLE" || code === "SLOW_CONSUMER";
}

/** Whether it is the token that was refused. */
export function isAboutToken(code: ErrorCode): boolean {
  return code === "UNAUTHENTICATED" || code === "TOKEN_EXPIRED";
}

/** Makes a ChatError of whatever was thrown. */
export function asChatError(cause: unknown): ChatError {
  if (cause instanceof ChatError) return cause;
  return new ChatError("UNAVAILABLE", cause instanceof Error ? cause.message : String(cause));
}
