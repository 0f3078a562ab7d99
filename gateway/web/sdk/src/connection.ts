// Keeps one connection: opens it, renews its token, replaces it when it is lost or its server leaves. What the program
// follows (feeds) and has sent (outbox) is carried from one to the next.
import type { IMessage } from "@stomp/stompjs";
import { BackOff } from "./backoff.js";
import type { State } from "./client.js";
import { asChatError, ChatError, isAboutToken, type ErrorCode } from "./errors.js";
import { nameOf, type Events, type ServerEvent } from "./events.js";
import { Feeds, type Feed } from "./feeds.js";
import { readPage } from "./history.js";
import { Link, type Ending } from "./link.js";
import { settingsOf, type ClientOptions, type Settings } from "./options.js";
import { Lost, Outbox } from "./outbox.js";
import { Renewal } from "./renewal.js";
import { Servers } from "./servers.js";
import { Sockets } from "./socket.js";
import { Tokens, type TokenOption } from "./token.js";

/** A connection that lasted this long was a good one: the next attempt is a first one. */
const GOOD_MS = 5_000;

/** How often in a row a server may refuse new tokens before it is useless to go on. */
const MAX_REFUSED_TOKENS = 3;

/** The subscription of /user/queue/errors. */
const ERRORS = "errors";

export interface ConnectionPorts {
  emit<Name extends keyof Events>(name: Name, detail: Events[Name]): void;
  listens(name: keyof Events): boolean;
  /** A connection is open and in use. */
  opened(): void;
}

export class Connection {
  readonly settings: Settings;
  readonly outbox: Outbox;
  readonly feeds: Feeds;
  /** The one in use. */
  link?: Link;

  private readonly servers: Servers;
  private readonly sockets: Sockets;
  private readonly tokens: Tokens;
  private readonly backOff: BackOff;
  private readonly renewal: Renewal;
  private run?: object; // of the attempts under way
  private attempt?: Link; // that is being opened
  private wake?: () => void; // ends the wait between two of them
  private connecting?: { promise: Promise<void>; resolve(): void; reject(error: ChatError): void };
  private refusedTokens = 0;
  private openedAt = 0;
  private everOpened = false;
  private readonly networkBack = (): void => this.wake?.();

  constructor(
    options: ClientOptions,
    private readonly ports: ConnectionPorts,
  ) {
    this.settings = settingsOf(options);
    this.servers = new Servers(options.serverUrl);
    this.sockets = new Sockets(this.settings);
    this.tokens = new Tokens(options.jwtToken);
    this.backOff = new BackOff(this.settings.reconnectMinMs, this.settings.reconnectMaxMs);
    this.outbox = new Outbox(this.settings.queueLimit);
    this.feeds = new Feeds(
      {
        event: (feed, event) => this.event(feed, event),
        subscribed: (_, position) => ports.emit("subscribed", position),
        ended: (feed, error, expected) => this.ended(feed, error, expected),
        page: (feed, afterSeq) => this.page(feed, afterSeq),
        error: (error) => ports.emit("error", error),
      },
      this.settings.acknowledge,
    );
    if (this.settings.inbox) this.feeds.followInbox(this.settings.lastInboxSeq);
    this.renewal = new Renewal(this.tokens, {
      send: (token) => this.sendToken(token),
      renewed: (expiresAt) => ports.emit("tokenRenewed", { expiresAt }),
      failed: (error) => ports.emit("error", error),
    });
  }

  get state(): State {
    if (this.link) return "connected";
    if (!this.run) return "disconnected";
    return this.everOpened ? "reconnecting" : "connecting";
  }

  connect(): Promise<void> {
    if (this.link) return Promise.resolve();
    if (!this.connecting) {
      let settle!: { resolve(): void; reject(error: ChatError): void };
      const promise = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
      promise.catch(() => undefined);
      this.connecting = { promise, ...settle };
    }
    const { promise } = this.connecting;
    if (!this.run) {
      this.heedNetwork(true);
      void this.dial(0);
    }
    return promise;
  }

  async disconnect(): Promise<void> {
    this.backOff.reset();
    await this.halt(new ChatError("DISCONNECTED", "the client was disconnected"));
  }

  reconnect(): void {
    if (this.link) this.link.drop();
    else this.wake?.();
  }

  async replaceToken(source: TokenOption): Promise<void> {
    this.tokens.replace(source);
    if (this.link) await this.renewal.now();
  }

  /** Tries one server after another until a connection is in use, or it is useless to go on. */
  private async dial(firstDelay: number): Promise<void> {
    const run = (this.run = {});
    let delay = firstDelay;
    for (let tries = 1; ; tries++) {
      if (delay > 0) await this.pause(delay);
      if (this.run !== run) return;
      try {
        const link = await this.open();
        if (this.run === run) await this.adopt(link, run);
        else void link.close();
        return;
      } catch (cause) {
        if (this.run !== run) return;
        const error = asChatError(cause);
        if (!this.mayRetry(error, tries)) return this.stop(error);
        this.servers.advance();
        delay = this.settings.autoReconnect ? this.backOff.next() : 0;
        this.tellReconnecting(delay, error);
      }
    }
  }

  private async open(): Promise<Link> {
    const server = this.servers.current;
    const token = await this.tokens.get();
    const socket = await this.sockets.open(server);
    const link = new Link(
      server,
      socket,
      { token, heartbeatMs: this.settings.heartbeatMs, timeoutMs: this.settings.connectTimeoutMs },
      {
        message: (from, id, frame) => this.message(from, id, frame),
        closed: (which, ending) => this.closed(which, ending),
        frame: this.ports.listens("frame") ? (frame) => this.ports.emit("frame", frame) : undefined,
      },
    );
    this.attempt = link;
    try {
      await link.open();
    } catch (cause) {
      this.sockets.opened(asChatError(cause).code !== "UNAVAILABLE");
      throw cause;
    } finally {
      if (this.attempt === link) this.attempt = undefined;
    }
    this.sockets.opened(true);
    this.refusedTokens = 0;
    return link;
  }

  /** Puts a connection to use. One that is still in use goes on until the new one has caught up. */
  private async adopt(link: Link, run: object): Promise<void> {
    link.subscribe(ERRORS, "/user/queue/errors").catch(() => undefined); // it is lost, which is told by closed()
    const caughtUp = this.feeds.open(link);
    if (this.link) await caughtUp;
    if (this.run !== run) return void link.close();
    if (link.over) throw new Lost(false);
    const old = this.link;
    this.link = link;
    this.run = undefined;
    this.openedAt = Date.now();
    this.outbox.use(link);
    if (old) {
      this.feeds.flushAcks();
      void old.close();
      this.feeds.forget(old);
    }
    this.renewal.start();
    const reconnected = this.everOpened;
    this.everOpened = true;
    this.ports.opened();
    const { userId, node } = link;
    this.ports.emit("connected", { server: link.server.name, node, userId, reconnected });
    this.connecting?.resolve();
    this.connecting = undefined;
    void this.feeds.open(link); // rooms that were subscribed while it caught up
  }

  private closed(link: Link, ending: Ending): void {
    this.feeds.forget(link);
    if (link !== this.link) return; // dial sees that it is over
    this.link = undefined;
    this.outbox.use(undefined);
    this.renewal.stop();
    if (ending.error && isAboutToken(ending.error.code)) this.tokens.refuse();
    const willReconnect = this.settings.autoReconnect && !this.isTokenUseless(ending.error);
    const { code, reason, error } = ending;
    this.ports.emit("disconnected", { code, reason, willReconnect, error });
    if (this.link || this.run) return; // the program, or a drain, has seen to it
    if (!willReconnect) return this.stop(error ?? new ChatError("DISCONNECTED", `the connection was closed (${code})`));
    if (Date.now() - this.openedAt >= GOOD_MS) this.backOff.reset();
    this.servers.advance();
    const delay = this.backOff.next();
    this.tellReconnecting(delay, error);
    void this.dial(delay);
  }

  /** The server is leaving: another connection is opened while this one still works. */
  private drain(link: Link, reconnectAfterMs: number): void {
    this.ports.emit("drain", { reconnectAfterMs });
    if (link !== this.link || this.run || !this.settings.autoReconnect) return;
    this.servers.advance();
    void this.dial(Math.round((Math.random() * reconnectAfterMs) / 2));
  }

  private message(link: Link, id: string, frame: IMessage): void {
    let body: ServerEvent | ErrorBody | DrainBody;
    try {
      body = JSON.parse(frame.body) as typeof body;
    } catch {
      return this.ports.emit("error", new ChatError("INTERNAL", `the server sent an event that is no JSON: ${frame.body}`));
    }
    if (id !== ERRORS) return this.feeds.message(link, id, frame, body as ServerEvent, link === this.link);
    this.aside(link, body as ErrorBody | DrainBody);
  }

  /** Takes what comes by the errors queue. */
  private aside(link: Link, body: ErrorBody | DrainBody): void {
    if (body.event === "DRAIN") return this.drain(link, body.reconnectAfterMs);
    const { code, message, destination, retryAfterMs, clientMessageId } = body;
    const error = new ChatError(code, message, { destination, retryAfterMs, clientMessageId });
    if (body.receiptId && link.refuse(body.receiptId, error)) return;
    if (!this.feeds.end(destination, error)) this.ports.emit("error", error);
  }

  private event(feed: Feed, event: ServerEvent): void {
    const copy = feed.room === undefined && event.event === "MESSAGE";
    const name = copy ? "copy" : nameOf[event.event];
    if (name) this.ports.emit(name, event as never);
    this.ports.emit("event", event);
  }

  private ended(feed: Feed, error: ChatError, expected: boolean): void {
    this.ports.emit("unsubscribed", { chatRoomId: feed.room!, error });
    if (!expected) this.ports.emit("error", error);
  }

  private async page(feed: Feed, afterSeq: number): Promise<ServerEvent[]> {
    const { link } = this;
    if (!link) throw new Lost(false);
    try {
      const token = await this.tokens.get();
      return await readPage<ServerEvent>(this.settings.fetch, link.server, token, feed.room, afterSeq);
    } catch (cause) {
      const error = asChatError(cause);
      if (isAboutToken(error.code)) this.tokens.refuse();
      throw error;
    }
  }

  private async sendToken(token: string): Promise<void> {
    const { link } = this;
    if (!link) throw new Lost(false);
    await link.send("/app/user/token", JSON.stringify({ token }));
  }

  private mayRetry(error: ChatError, tries: number): boolean {
    if (isAboutToken(error.code)) {
      this.tokens.refuse();
      this.refusedTokens++;
    }
    if (error.code === "INVALID" || this.isTokenUseless(error)) return false;
    return this.settings.autoReconnect || tries < this.servers.count;
  }

  private isTokenUseless(error: ChatError | undefined): boolean {
    if (!error || !isAboutToken(error.code)) return false;
    return !this.tokens.renewable || this.refusedTokens >= MAX_REFUSED_TOKENS;
  }

  /** Gives up: the program is told why. */
  private stop(error: ChatError): void {
    void this.halt(error);
    this.ports.emit("error", error);
  }

  private async halt(error: ChatError): Promise<void> {
    const { link } = this;
    this.run = undefined;
    this.link = undefined;
    this.everOpened = false;
    this.refusedTokens = 0;
    this.wake?.();
    this.attempt?.drop();
    this.heedNetwork(false);
    this.renewal.stop();
    this.outbox.use(undefined);
    this.outbox.clear(error);
    this.feeds.abandon(error);
    this.connecting?.reject(error);
    this.connecting = undefined;
    if (!link) return;
    this.feeds.flushAcks();
    const done = link.close();
    this.feeds.forget(link);
    this.ports.emit("disconnected", { code: 1000, reason: "", willReconnect: false });
    await done;
  }

  /** Tries at once when the browser says that the network is back. */
  private heedNetwork(on: boolean): void {
    if (typeof addEventListener !== "function") return;
    if (on) addEventListener("online", this.networkBack);
    else removeEventListener("online", this.networkBack);
  }

  private tellReconnecting(delayMs: number, error: ChatError | undefined): void {
    const { attempts: attempt } = this.backOff;
    this.ports.emit("reconnecting", { attempt, delayMs, server: this.servers.current.name, error });
  }

  /** Waits, but no longer than until wake is called. */
  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => (clearTimeout(timer), resolve());
    });
  }
}

interface DrainBody {
  event: "DRAIN";
  reconnectAfterMs: number;
}

interface ErrorBody {
  event: "ERROR";
  code: ErrorCode;
  message: string;
  destination?: string;
  receiptId?: string;
  clientMessageId?: string;
  retryAfterMs?: number;
}
