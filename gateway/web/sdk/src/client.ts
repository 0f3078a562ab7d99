// The client as programs see it.
import { Connection } from "./connection.js";
import { asChatError, ChatError } from "./errors.js";
import { Emitter } from "./emitter.js";
import type { Events, Status, Subscribed } from "./events.js";
import type { ClientOptions } from "./options.js";
import type { Order, Receipt } from "./outbox.js";
import type { TokenOption } from "./token.js";

/** A message is stored: its name, its place in the room, and whether it had been stored before. */
export interface Stored {
  messageId: string;
  seq: number;
  duplicate: boolean;
}

/** What a message may have besides its content. */
export interface SendOptions {
  /** The name that makes a repeat harmless, for ever; made up when missing. */
  clientMessageId?: string;
  /** A JSON object of at most 8 KiB that goes with the message. */
  attachment?: Record<string, unknown>;
}

/** A file: where it is, and whatever else the program wants to say of it. */
export interface Attachment extends Record<string, unknown> {
  url: string;
}

export type State = "disconnected" | "connecting" | "connected" | "reconnecting";

/** Typing is told at most this often for each room. */
const TYPING_MS = 1_000;

/**
 * A client of Fliliy Chat. It keeps one connection, and programs get every event of a subscribed room once and in
 * order, whatever happens to connections and servers. Promises reject with a ChatError; a rejection that nobody waits
 * for is told by the event `error` alone.
 */
export class FliliyWebSocketClient extends Emitter<Events> {
  private readonly connection: Connection;
  private readonly typed = new Map<string, number>();
  private readonly encoder = new TextEncoder();
  private readonly maxBodyBytes: number;
  private status: Status = "online";

  constructor(options: ClientOptions) {
    super();
    this.connection = new Connection(options, {
      emit: (name, detail) => this.emit(name, detail),
      listens: (name) => this.listens(name),
      opened: () => this.status !== "online" && this.updateStatus(this.status as "away" | "busy"),
    });
    this.maxBodyBytes = this.connection.settings.maxBodyBytes;
  }

  get state(): State {
    return this.connection.state;
  }

  get connected(): boolean {
    return this.connection.state === "connected";
  }

  /** The user of the token, once connected. */
  get userId(): string | undefined {
    return this.connection.link?.userId;
  }

  /** The server and the gateway of the present connection. */
  get server(): string | undefined {
    return this.connection.link?.server.name;
  }

  get node(): string | undefined {
    return this.connection.link?.node;
  }

  /** How many sends and other orders wait for their answer. */
  get pending(): number {
    return this.connection.outbox.size;
  }

  /** The rooms that are subscribed. */
  get chatRooms(): string[] {
    return this.connection.feeds.names();
  }

  /** The seq up to which everything of a room was delivered: the lastSeq with which to go on another time. */
  lastSeq(chatRoomId: string | number): number | undefined {
    return this.connection.feeds.get(String(chatRoomId))?.log.last;
  }

  /** Resolves when connected. With autoReconnect it goes on trying; it rejects when that is useless. */
  connect(): Promise<void> {
    return quiet(this.connection.connect());
  }

  /** Ends the connection. What has no answer yet is rejected with DISCONNECTED; connect() goes on with all rooms. */
  disconnect(): Promise<void> {
    return this.connection.disconnect();
  }

  /** Drops the connection at once and opens another, for example after the network has changed. */
  reconnect(): void {
    this.connection.reconnect();
  }

  /** Uses another token, or function, from now on; a connection that is open goes on under it. */
  updateToken(token: TokenOption): Promise<void> {
    return quiet(this.connection.replaceToken(token));
  }

  /** Follows a room, from now on or from after lastSeq; resolves when it is live. */
  subscribeToChatRoom(chatRoomId: string | number, options: { lastSeq?: number } = {}): Promise<Subscribed> {
    return this.checked(async () => {
      const room = roomOf(chatRoomId);
      return this.connection.feeds.follow(room, options.lastSeq, this.connection.link);
    });
  }

  unsubscribeFromChatRoom(chatRoomId: string | number): Promise<void> {
    return this.checked(async () => {
      const room = roomOf(chatRoomId);
      if (!this.connection.feeds.has(room)) return;
      await this.connection.feeds.unfollow(room);
      this.emit("unsubscribed", { chatRoomId: room });
    });
  }

  sendTextMessage(chatRoomId: string | number, text: string, options: SendOptions = {}): Promise<Stored> {
    return this.send(chatRoomId, "TEXT", text, options);
  }

  /** The image is a URL, or an object with one: that is sent as the attachment. */
  sendImageMessage(
    chatRoomId: string | number,
    image: string | Attachment,
    options: SendOptions = {},
  ): Promise<Stored> {
    return this.sendFile(chatRoomId, "IMAGE", image, options);
  }

  /** The recording is a URL, or an object with one, for example `{url, durationMs}`. */
  sendVoiceMessage(
    chatRoomId: string | number,
    voice: string | Attachment,
    options: SendOptions = {},
  ): Promise<Stored> {
    return this.sendFile(chatRoomId, "VOICE", voice, options);
  }

  /** Changes the content of an own TEXT message. */
  editMessage(
    chatRoomId: string | number,
    seq: number,
    content: string,
    options: { clientMessageId?: string } = {},
  ): Promise<Stored> {
    const clientMessageId = options.clientMessageId ?? newId();
    return this.orderInRoom(chatRoomId, "edit", { seq, content, clientMessageId });
  }

  /** Takes an own message back, for everybody. */
  recallMessage(chatRoomId: string | number, seq: number): Promise<Stored> {
    return this.orderInRoom(chatRoomId, "recall", { seq });
  }

  /** Marks everything up to seq as read; without it, all that was delivered to this program. */
  markAsRead(chatRoomId: string | number, seq?: number): Promise<void> {
    return this.checked(async () => {
      const room = roomOf(chatRoomId);
      const upTo = seq ?? this.lastSeq(room);
      await this.order({
        lane: `read ${room}`,
        destination: `/app/chat/${room}/read`,
        body: upTo === undefined ? {} : { seq: upTo },
        merge: (older) => laterMark(upTo, older["seq"] as number | undefined),
      });
    });
  }

  /** Tells the room that the user types; at most once a second, and only while connected. */
  sendTyping(chatRoomId: string | number): void {
    const room = String(chatRoomId);
    const now = Date.now();
    if (!/^[1-9]\d*$/.test(room) || now - (this.typed.get(room) ?? 0) < TYPING_MS) return;
    this.typed.set(room, now);
    this.connection.link?.tell(`/app/chat/${room}/typing`);
  }

  /** Sets the user's status; it holds over reconnects. */
  updateStatus(status: "online" | "away" | "busy"): Promise<void> {
    this.status = status;
    return this.checked(async () => {
      await this.order({ lane: "status", destination: "/app/user/status", body: { status }, merge: () => ({ status }) });
    });
  }

  private sendFile(
    chatRoomId: string | number,
    type: string,
    file: string | Attachment,
    options: SendOptions,
  ): Promise<Stored> {
    if (typeof file === "string") return this.send(chatRoomId, type, file, options);
    return this.send(chatRoomId, type, file.url, { ...options, attachment: { ...file, ...options.attachment } });
  }

  private send(chatRoomId: string | number, type: string, content: string, options: SendOptions): Promise<Stored> {
    const { attachment, clientMessageId = newId() } = options;
    this.typed.delete(String(chatRoomId)); // whoever types after this begins anew: the message ends the old sign
    return this.orderInRoom(chatRoomId, "send", { type, content, clientMessageId, attachment });
  }

  private orderInRoom(chatRoomId: string | number, verb: string, body: Record<string, unknown>): Promise<Stored> {
    return this.checked(async () => {
      const room = roomOf(chatRoomId);
      const receipt = await this.order({ lane: `room ${room}`, destination: `/app/chat/${room}/${verb}`, body });
      return {
        messageId: receipt["message-id"] ?? "",
        seq: Number(receipt["seq"]),
        duplicate: receipt["duplicate"] === "true",
      };
    });
  }

  private async order(order: Order): Promise<Receipt> {
    const bytes = this.encoder.encode(JSON.stringify(order.body)).length;
    if (bytes > this.maxBodyBytes) {
      throw new ChatError("TOO_LARGE", `the body has ${bytes} bytes; at most ${this.maxBodyBytes} are allowed`);
    }
    return this.connection.outbox.add(order);
  }

  /** Tells of a failure by the event `error`, too, so that programs may leave the promise alone. */
  private checked<T>(work: () => Promise<T>): Promise<T> {
    const done = work();
    done.catch((cause: unknown) => {
      const error = asChatError(cause);
      if (error.code !== "DISCONNECTED") this.emit("error", error);
    });
    return done;
  }
}

function roomOf(chatRoomId: string | number): string {
  const room = String(chatRoomId);
  if (/^[1-9]\d*$/.test(room)) return room;
  throw new ChatError("INVALID", `a room's id is a positive number, and "${room}" is not`);
}

function laterMark(a: number | undefined, b: number | undefined): Record<string, unknown> {
  return a === undefined || b === undefined ? {} : { seq: Math.max(a, b) };
}

/** Keeps a rejection that nobody waits for from being reported as a fault of the program. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** 128 random bits; without a secure context there is no crypto.randomUUID, in React Native maybe no crypto at all. */
function newId(): string {
  const bytes = new Uint8Array(16);
  if (typeof crypto === "object") crypto.getRandomValues(bytes);
  else bytes.forEach((_, i) => (bytes[i] = Math.floor(Math.random() * 256)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
