// What the program follows: rooms, and the inbox. A feed outlives connections; on each connection it is a subscription
// that goes on where the feed stands.
import type { IMessage } from "@stomp/stompjs";
import { BackOff } from "./backoff.js";
import { asChatError, ChatError, isTransient } from "./errors.js";
import type { GapEvent, ServerEvent, Subscribed } from "./events.js";
import { Log, type Item } from "./log.js";
import type { Link } from "./link.js";
import { Lost } from "./outbox.js";

/** How long ACKs are gathered: the newest one speaks for all before it. */
const ACK_MS = 250;

export interface FeedPorts {
  /** Takes an event: those with a seq once and in order, of each feed. */
  event(feed: Feed, event: ServerEvent): void;
  subscribed(feed: Feed, position: Subscribed): void;
  /** A room's subscription was refused or ended by the server; expected: a promise tells of it, too. */
  ended(feed: Feed, error: ChatError, expected: boolean): void;
  page(feed: Feed, afterSeq: number): Promise<ServerEvent[]>;
  error(error: ChatError): void;
}

interface FeedItem extends Item {
  event: ServerEvent;
  link?: Link;
  frame?: IMessage;
}

export interface Feed {
  /** A room's id; undefined for the inbox. */
  readonly room: string | undefined;
  readonly destination: string;
  readonly log: Log<FeedItem>;
  /** The ids of its subscriptions, by connection; several only while it moves from one to another. */
  readonly ids: Map<Link, string>;
  live: boolean;
  newest?: FeedItem; // of those to acknowledge
  waiters: { resolve(position: Subscribed): void; reject(error: ChatError): void }[];
}

export class Feeds {
  private readonly rooms = new Map<string, Feed>();
  private readonly byId = new Map<string, Feed>();
  private readonly backOff = new BackOff(250, 5_000);
  private inbox?: Feed;
  private number = 0;
  private acking?: ReturnType<typeof setTimeout>;

  constructor(
    private readonly ports: FeedPorts,
    private readonly acknowledge: boolean,
  ) {}

  has(room: string): boolean {
    return this.rooms.has(room);
  }

  get(room: string): Feed | undefined {
    return this.rooms.get(room);
  }

  /** The rooms that are followed. */
  names(): string[] {
    return Array.from(this.rooms.keys());
  }

  followInbox(lastSeq: number | undefined): void {
    this.inbox = this.newFeed(undefined, "/user/queue/messages", lastSeq);
  }

  /** Follows a room, on a connection if there is one; resolves when it is live. */
  follow(room: string, lastSeq: number | undefined, link: Link | undefined): Promise<Subscribed> {
    let feed = this.rooms.get(room);
    if (!feed) this.rooms.set(room, (feed = this.newFeed(room, `/topic/chat/${room}`, lastSeq)));
    if (feed.live) return Promise.resolve({ chatRoomId: room, seq: feed.log.last ?? 0 });
    const position = new Promise<Subscribed>((resolve, reject) => feed.waiters.push({ resolve, reject }));
    if (link) void this.subscribe(feed, link);
    return position;
  }

  /** Ends a feed; resolves when the server knows. */
  async unfollow(room: string): Promise<void> {
    const feed = this.rooms.get(room);
    if (!feed) return;
    const links = Array.from(feed.ids);
    this.remove(feed, new ChatError("DISCONNECTED", `room ${room} was unsubscribed`));
    await Promise.all(links.map(([link, id]) => link.unsubscribe(id).catch(() => undefined)));
  }

  /** Subscribes everything on a connection; resolves when all of it has been answered. */
  async open(link: Link): Promise<void> {
    const all = this.inbox ? [this.inbox, ...this.rooms.values()] : Array.from(this.rooms.values());
    await Promise.all(all.map((feed) => this.subscribe(feed, link)));
  }

  /** Forgets a connection that is over. What it left incomplete will come again on the next one. */
  forget(link: Link): void {
    for (const feed of this.all()) {
      const id = feed.ids.get(link);
      if (id === undefined) continue;
      this.byId.delete(id);
      feed.ids.delete(link);
      if (feed.ids.size > 0) continue;
      feed.live = false;
      feed.newest = undefined;
      feed.log.reset();
    }
  }

  /** Rejects those who wait for a room to be live. */
  abandon(error: ChatError): void {
    for (const feed of this.all()) {
      for (const waiter of feed.waiters.splice(0)) waiter.reject(error);
    }
  }

  /** Takes the event of a MESSAGE frame; current says whether it came by the connection that counts. */
  message(link: Link, id: string, frame: IMessage, event: ServerEvent, current: boolean): void {
    const feed = this.byId.get(id);
    if (!feed) return; // it was unsubscribed
    const seq = (event as { seq?: number }).seq;
    if (event.event === "GAP") return this.gap(feed, event);
    const isCopy = feed.room === undefined && "chatRoomId" in event;
    if (seq !== undefined && !isCopy) feed.log.push({ seq, event, link, frame });
    else if ((current || event.event === "PRESENCE") && !(isCopy && this.has(event.chatRoomId!))) {
      this.ports.event(feed, event);
    }
  }

  /** The server has ended the subscription of a room. */
  end(destination: string | undefined, error: ChatError): boolean {
    for (const feed of this.rooms.values()) {
      if (feed.destination !== destination) continue;
      this.refused(feed, error);
      return true;
    }
    return false;
  }

  /** Sends the ACKs that are being gathered; it has to be done before a connection is closed. */
  flushAcks(): void {
    clearTimeout(this.acking);
    this.acking = undefined;
    for (const feed of this.rooms.values()) {
      const item = feed.newest;
      feed.newest = undefined;
      item?.link!.ack(item.frame!);
    }
  }

  private all(): Feed[] {
    return this.inbox ? [this.inbox, ...this.rooms.values()] : Array.from(this.rooms.values());
  }

  private newFeed(room: string | undefined, destination: string, lastSeq: number | undefined): Feed {
    const log = new Log<FeedItem>({
      deliver: (item) => this.deliver(feed, item),
      page: async (afterSeq) =>
        (await this.ports.page(feed, afterSeq)).map((event) => ({ seq: (event as Item & ServerEvent).seq, event })),
      failed: (error) => {
        const useless = error.code === "FORBIDDEN" || error.code === "INVALID";
        if (useless) this.ports.error(error);
        return !useless;
      },
    });
    const feed: Feed = { room, destination, log, ids: new Map(), live: false, waiters: [] };
    log.last = lastSeq;
    return feed;
  }

  private async subscribe(feed: Feed, link: Link): Promise<void> {
    if (link.over || feed.ids.has(link) || !this.wants(feed)) return;
    const id = `${feed.room === undefined ? "inbox" : `room-${feed.room}`}-${++this.number}`;
    feed.ids.set(link, id);
    this.byId.set(id, feed);
    const headers: Record<string, string> = {};
    if (feed.log.last !== undefined) headers["last-seq"] = String(feed.log.last);
    if (feed.room !== undefined && this.acknowledge) headers["ack"] = "client";
    try {
      const receipt = await link.subscribe(id, feed.destination, headers);
      if (feed.ids.get(link) === id) this.subscribed(feed, receipt["seq"]);
    } catch (cause) {
      if (feed.ids.get(link) === id) await this.failed(feed, link, asChatError(cause));
    }
  }

  private subscribed(feed: Feed, seq: string | undefined): void {
    if (seq !== undefined) feed.log.startAt(Number(seq));
    this.backOff.reset();
    feed.live = true;
    if (feed.room === undefined) return;
    const position = { chatRoomId: feed.room, seq: feed.log.last ?? 0 };
    for (const waiter of feed.waiters.splice(0)) waiter.resolve(position);
    this.ports.subscribed(feed, position);
  }

  private async failed(feed: Feed, link: Link, error: ChatError): Promise<void> {
    this.byId.delete(feed.ids.get(link)!);
    feed.ids.delete(link);
    if (error instanceof Lost) return;
    if (!isTransient(error.code) && error.code !== "INTERNAL") return this.refused(feed, error);
    const wait = Math.max(error.retryAfterMs, this.backOff.next());
    await new Promise((resolve) => setTimeout(resolve, wait));
    await this.subscribe(feed, link);
  }

  private refused(feed: Feed, error: ChatError): void {
    if (feed.room === undefined) return this.ports.error(error);
    const expected = feed.waiters.length > 0;
    this.remove(feed, error);
    this.ports.ended(feed, error, expected);
  }

  private wants(feed: Feed): boolean {
    return feed === this.inbox || this.rooms.get(feed.room!) === feed;
  }

  private remove(feed: Feed, error: ChatError): void {
    this.rooms.delete(feed.room!);
    for (const id of feed.ids.values()) this.byId.delete(id);
    feed.ids.clear();
    feed.log.reset();
    for (const waiter of feed.waiters.splice(0)) waiter.reject(error);
  }

  private gap(feed: Feed, event: GapEvent): void {
    this.ports.event(feed, event);
    if (this.wants(feed)) feed.log.gap(event.fromSeq, event.toSeq);
  }

  private deliver(feed: Feed, item: FeedItem): void {
    if (this.acknowledge && feed.room !== undefined && item.frame && item.event.event === "MESSAGE") {
      feed.newest = item;
      this.acking ??= setTimeout(() => this.flushAcks(), ACK_MS);
    }
    this.ports.event(feed, item.event);
  }
}
