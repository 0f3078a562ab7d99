// The bodies of the server's events, and the events of the client itself.
import type { ChatError } from "./errors.js";

export type Status = "online" | "away" | "busy" | "offline";

/** Ids are strings, times RFC 3339 in UTC, `seq` counts the events of one room from 1. */
export interface MessageEvent {
  event: "MESSAGE";
  chatRoomId: string;
  seq: number;
  messageId: string;
  clientMessageId?: string;
  senderId: string;
  type: "TEXT" | "IMAGE" | "VOICE" | "SYSTEM" | (string & {});
  content?: string;
  attachment?: Record<string, unknown>;
  sentAt: string;
  editedAt?: string;
  recalled?: boolean;
}
export interface ReadEvent {
  event: "READ";
  chatRoomId: string;
  userId: string;
  lastReadSeq: number;
  at: string;
}
export interface DeliveredEvent {
  event: "DELIVERED";
  chatRoomId: string;
  userId: string;
  deliveredSeq: number;
  at: string;
}
export interface TypingEvent {
  event: "TYPING";
  chatRoomId: string;
  userId: string;
  at: string;
}
export interface MemberEvent {
  event: "MEMBER";
  chatRoomId: string;
  seq: number;
  userId: string;
  change: "joined" | "left" | "removed" | "muted" | "unmuted" | "banned" | "unbanned" | (string & {});
  /** When a mute or ban ends by itself. */
  until?: string;
  at: string;
}
export interface EditedEvent {
  event: "EDITED";
  chatRoomId: string;
  seq: number;
  targetSeq: number;
  senderId: string;
  content?: string;
  recalled?: boolean;
  at: string;
}
export interface RecalledEvent {
  event: "RECALLED";
  chatRoomId: string;
  seq: number;
  targetSeq: number;
  senderId: string;
  at: string;
}
export interface NotificationEvent {
  event: "NOTIFICATION";
  seq: number;
  notificationId: string;
  title: string;
  content: string;
  type: string;
  data?: Record<string, unknown>;
  at: string;
}
export interface UserStatusEvent {
  event: "USER_STATUS";
  chatRoomId: string;
  userId: string;
  status: Status;
  at: string;
}
export interface PresenceEvent {
  event: "PRESENCE";
  chatRoomId: string;
  online: { userId: string; status: Status }[];
  truncated?: boolean;
  stale?: boolean;
}
/** Without a chatRoomId it is about the inbox. The client fills it by itself. */
export interface GapEvent {
  event: "GAP";
  chatRoomId?: string;
  fromSeq: number;
  toSeq: number;
}

/** Everything that the server sends on a room's topic or the inbox. */
export type ServerEvent =
  | MessageEvent
  | ReadEvent
  | DeliveredEvent
  | TypingEvent
  | MemberEvent
  | EditedEvent
  | RecalledEvent
  | NotificationEvent
  | UserStatusEvent
  | PresenceEvent
  | GapEvent;

export interface Connected {
  /** The entry of `serverUrl` that answered. */
  server: string;
  /** The name of the gateway, as it calls itself. */
  node: string;
  userId: string;
  /** False for the first connection after connect(). */
  reconnected: boolean;
}
export interface Disconnected {
  /** The WebSocket's close code. */
  code: number;
  reason: string;
  willReconnect: boolean;
  /** What the server said before it closed, where it did. */
  error?: ChatError;
}
export interface Reconnecting {
  /** Counts from 1 since the last connection that lasted. */
  attempt: number;
  delayMs: number;
  server: string;
  /** Why the attempt before failed, where there was one. */
  error?: ChatError;
}
export interface Subscribed {
  chatRoomId: string;
  /** Everything up to here was delivered, or is from before the subscription. */
  seq: number;
}
export interface Unsubscribed {
  chatRoomId: string;
  /** Why the server ended it; absent when the program did. */
  error?: ChatError;
}
export interface Frame {
  direction: "in" | "out";
  /** As it went over the socket, tokens blotted out. */
  text: string;
}

/** The names that on() takes, with what their handlers are given. */
export interface Events {
  connected: Connected;
  disconnected: Disconnected;
  reconnecting: Reconnecting;
  drain: { reconnectAfterMs: number };
  subscribed: Subscribed;
  unsubscribed: Unsubscribed;
  message: MessageEvent;
  copy: MessageEvent;
  edited: EditedEvent;
  recalled: RecalledEvent;
  member: MemberEvent;
  notification: NotificationEvent;
  read: ReadEvent;
  delivered: DeliveredEvent;
  typing: TypingEvent;
  userStatus: UserStatusEvent;
  presence: PresenceEvent;
  gap: GapEvent;
  event: ServerEvent;
  error: ChatError;
  tokenRenewed: { expiresAt?: Date };
  frame: Frame;
}

/** The name that on() knows a server event by; undefined for kinds that are newer than this client. */
export const nameOf: { readonly [kind: string]: keyof Events | undefined } = {
  MESSAGE: "message",
  EDITED: "edited",
  RECALLED: "recalled",
  MEMBER: "member",
  NOTIFICATION: "notification",
  READ: "read",
  DELIVERED: "delivered",
  TYPING: "typing",
  USER_STATUS: "userStatus",
  PRESENCE: "presence",
  GAP: "gap",
};
