// Where sockets come from: the platform's WebSocket, one that the program brings, or SockJS.
import { ChatError } from "./errors.js";
import type { Server } from "./servers.js";

/** What the client needs of a socket: WebSocket, `ws` and SockJS all have it. */
export interface Socket {
  binaryType?: string;
  readonly readyState: number;
  readonly url: string;
  onopen: ((event?: never) => unknown) | null | undefined;
  onclose: ((event?: never) => unknown) | null | undefined;
  onerror: ((event?: never) => unknown) | null | undefined;
  onmessage: ((event?: never) => unknown) | null | undefined;
  send(data: never): void;
  close(code?: number, reason?: string): void;
  terminate?(): void;
}

export type SocketFactory = (url: string, protocols: string[]) => unknown;
export type SockJSFactory = (url: string) => unknown;
export type Transport = "websocket" | "sockjs" | "auto";

export interface SocketOptions {
  transport: Transport;
  webSocketFactory?: SocketFactory;
  sockJSFactory?: SockJSFactory;
}

/** The subprotocol: STOMP 1.2. */
const PROTOCOLS = ["v12.stomp"];

/** Loads SockJS the first time it is needed; each build has its own way (sockjs-module.ts, sockjs-script.ts). */
export type SockJSLoader = () => Promise<SockJSFactory>;

let loadSockJS: SockJSLoader = () =>
  Promise.reject(new ChatError("INVALID", "this build has no SockJS: give the option sockJSFactory"));

export function useSockJSLoader(loader: SockJSLoader): void {
  loadSockJS = loader;
}

/** Opens sockets. With the transport auto it tries SockJS after a WebSocket that could not be opened, and so on. */
export class Sockets {
  private sockJS: boolean;
  private factory?: SockJSFactory;

  constructor(private readonly options: SocketOptions) {
    this.sockJS = options.transport === "sockjs";
    this.factory = options.sockJSFactory;
  }

  async open(server: Server): Promise<Socket> {
    if (!this.sockJS) return this.webSocket(server.ws) as Socket;
    this.factory ??= await loadSockJS();
    return this.factory(`${server.http}/ws`) as Socket;
  }

  /** Takes note that a socket could not be opened, or was. */
  opened(success: boolean): void {
    if (this.options.transport === "auto" && !success) this.sockJS = !this.sockJS;
  }

  private webSocket(url: string): unknown {
    if (this.options.webSocketFactory) return this.options.webSocketFactory(url, PROTOCOLS);
    if (typeof WebSocket === "undefined") {
      throw new ChatError("INVALID", "there is no WebSocket here: give the option webSocketFactory, in Node for example " +
        "(url, protocols) => new (require('ws'))(url, protocols)");
    }
    return new WebSocket(url, PROTOCOLS);
  }
}
