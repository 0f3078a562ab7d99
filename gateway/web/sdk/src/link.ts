// One STOMP connection: opened once, closed once. It knows which answer belongs to which request; what the answers and
// events mean is the client's business.
import { Client, Versions, type IFrame, type IMessage, type IStompSocket } from "@stomp/stompjs";
import { ChatError, type ErrorCode } from "./errors.js";
import type { Frame } from "./events.js";
import { Lost, type Receipt, type Way } from "./outbox.js";
import type { Server } from "./servers.js";
import type { Socket } from "./socket.js";

/** How long the server may take for an answer before the connection counts as dead. */
const ANSWER_MS = 30_000;

/** How long DISCONNECT may take before the socket is dropped. */
const GOODBYE_MS = 2_000;

/** Close codes by which a server says that it did not like what it was sent. */
const SUSPECT = new Set([1002, 1007, 1009]);

/** How a connection ended. */
export interface Ending {
  code: number;
  reason: string;
  error?: ChatError;
}

/** Whom a link tells; nobody once close() was called. */
export interface LinkPorts {
  /** A MESSAGE frame on the subscription of that id. */
  message(link: Link, subscription: string, frame: IMessage): void;
  closed(link: Link, ending: Ending): void;
  frame?(frame: Frame): void;
}

export interface LinkOptions {
  token: string;
  heartbeatMs: number;
  timeoutMs: number;
}

interface Request {
  resolve(receipt: Receipt): void;
  reject(error: ChatError): void;
  timer: ReturnType<typeof setTimeout>;
}

export class Link implements Way {
  /** From CONNECTED. */
  userId = "";
  node = "";

  private readonly stomp: Client;
  private readonly requests = new Map<string, Request>();
  private number = 0;
  private closed = false;
  private fault?: ChatError;
  private opening?: { resolve(): void; reject(error: ChatError): void };

  constructor(
    readonly server: Server,
    socket: Socket,
    private readonly options: LinkOptions,
    private readonly ports: LinkPorts,
  ) {
    if (ports.frame) tap(socket, ports.frame);
    const native = typeof navigator === "object" && navigator.product === "ReactNative";
    this.stomp = new Client({
      stompVersions: new Versions([Versions.V1_2]),
      connectHeaders: { Authorization: `Bearer ${options.token}` },
      webSocketFactory: () => socket as unknown as IStompSocket,
      reconnectDelay: 0,
      heartbeatIncoming: options.heartbeatMs,
      heartbeatOutgoing: options.heartbeatMs,
      discardWebsocketOnCommFailure: true,
      // React Native cuts text frames off at the NUL that ends a STOMP frame.
      forceBinaryWSFrames: native,
      appendMissingNULLonIncoming: native,
      onConnect: (frame) => this.connected(frame),
      onUnhandledReceipt: (frame) => this.settle(frame.headers["receipt-id"]!)?.resolve(frame.headers),
      onStompError: (frame) => this.refused(frame),
      onWebSocketClose: (event: { code?: number; reason?: string }) => this.end(event.code ?? 1006, event.reason ?? ""),
    });
  }

  /** Whether it has ended, one way or another. */
  get over(): boolean {
    return this.closed;
  }

  /** Resolves when the session is open; rejects with what the server said, or UNAVAILABLE. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.fault = new ChatError("UNAVAILABLE", `${this.server.name} did not answer in time`);
        this.drop();
      }, this.options.timeoutMs);
      this.opening = {
        resolve: () => (clearTimeout(timer), resolve()),
        reject: (error) => (clearTimeout(timer), reject(error)),
      };
      this.stomp.activate();
    });
  }

  send(destination: string, body: string): Promise<Receipt> {
    return this.request((receipt) =>
      this.stomp.publish({ destination, body, headers: { receipt, "content-type": "application/json" } }),
    );
  }

  /** Sends what needs no answer; what cannot be sent is forgotten. */
  tell(destination: string): void {
    if (this.stomp.connected) this.stomp.publish({ destination });
  }

  subscribe(id: string, destination: string, headers: Record<string, string> = {}): Promise<Receipt> {
    const take = (frame: IMessage) => this.closed || this.ports.message(this, id, frame);
    return this.request((receipt) => this.stomp.subscribe(destination, take, { ...headers, id, receipt }));
  }

  unsubscribe(id: string): Promise<Receipt> {
    return this.request((receipt) => this.stomp.unsubscribe(id, { receipt }));
  }

  ack(frame: IMessage): void {
    if (this.stomp.connected) frame.ack();
  }

  /** Takes the refusal of a request; false when there is no such request. */
  refuse(receiptId: string, error: ChatError): boolean {
    const request = this.settle(receiptId);
    request?.reject(error);
    return request !== undefined;
  }

  /** Ends the connection by DISCONNECT. Nobody is told; requests without an answer are lost. */
  close(): Promise<void> {
    this.finish(new Lost(false));
    const force = setTimeout(() => void this.stomp.deactivate({ force: true }), GOODBYE_MS);
    return this.stomp.deactivate().then(() => clearTimeout(force));
  }

  /** Ends the connection at once, as a lost network would. */
  drop(): void {
    if (this.closed) return;
    const ending = { code: 1006, reason: "", error: this.fault };
    this.finish(new Lost(false));
    void this.stomp.deactivate({ force: true });
    this.ended(ending);
  }

  private request(send: (receipt: string) => void): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      if (this.closed || !this.stomp.connected) return reject(new Lost(false));
      const id = String(++this.number);
      const timer = setTimeout(() => {
        this.fault = new ChatError("UNAVAILABLE", `${this.server.name} does not answer any more`);
        this.drop();
      }, ANSWER_MS);
      this.requests.set(id, { resolve, reject, timer });
      send(id);
    });
  }

  private settle(receiptId: string): Request | undefined {
    const request = this.requests.get(receiptId);
    if (request) clearTimeout(request.timer);
    this.requests.delete(receiptId);
    return request;
  }

  private connected(frame: IFrame): void {
    this.userId = frame.headers["user-name"] ?? "";
    this.node = frame.headers["server"] ?? "";
    const opening = this.opening;
    this.opening = undefined;
    opening?.resolve();
  }

  /** An ERROR frame: the server closes after it. One that names a request is about that request. */
  private refused(frame: IFrame): void {
    const code = (frame.headers["code"] ?? "INTERNAL") as ErrorCode;
    this.fault = new ChatError(code, frame.body || frame.headers["message"] || "the server gave no reason");
    const receiptId = frame.headers["receipt-id"];
    if (receiptId !== undefined && this.refuse(receiptId, this.fault)) this.fault = undefined;
  }

  private end(code: number, reason: string): void {
    if (this.closed) return;
    this.finish(new Lost(SUSPECT.has(code)));
    void this.stomp.deactivate();
    this.ended({ code, reason, error: this.fault });
  }

  private finish(lost: Lost): void {
    this.closed = true;
    const all = Array.from(this.requests.keys());
    for (const id of all) this.refuse(id, lost);
  }

  private ended(ending: Ending): void {
    const opening = this.opening;
    this.opening = undefined;
    if (!opening) return this.ports.closed(this, ending);
    const detail = ending.reason || `close code ${ending.code}`;
    opening.reject(
      ending.error ?? new ChatError("UNAVAILABLE", `no connection to ${this.server.name} (${detail})`),
    );
  }
}

/** Shows every frame to a reader, from the socket itself; tokens are nobody's business. */
function tap(socket: Socket, show: (frame: Frame) => void): void {
  const text = (data: unknown): string => {
    const all = typeof data === "string" ? data : new TextDecoder().decode(data as ArrayBuffer);
    return all.replace(/\beyJ[\w-]*\.[\w-]*\.[\w-]*/g, "…");
  };
  const send = socket.send.bind(socket);
  socket.send = (data: never) => {
    show({ direction: "out", text: text(data) });
    send(data);
  };
  const source = socket as unknown as { addEventListener?(name: string, take: (event: { data: unknown }) => void): void };
  source.addEventListener?.("message", (event) => show({ direction: "in", text: text(event.data) }));
}
