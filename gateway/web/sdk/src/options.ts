// What the constructor takes, and what holds where it says nothing.
import type { Fetch } from "./history.js";
import type { SockJSFactory, SocketFactory, Transport } from "./socket.js";
import type { TokenOption } from "./token.js";

export interface ClientOptions {
  /** A server, or several that are tried in turn; in a browser by default where the page comes from. */
  serverUrl?: string | readonly string[];
  /** A token, or a function that gets one; with a function, tokens are renewed before they end. */
  jwtToken: TokenOption;
  /** Whether to connect again by itself; default true. */
  autoReconnect?: boolean;
  /** The bounds of the random wait before an attempt: up to the first, doubled each time, up to the second. */
  reconnectMinMs?: number;
  reconnectMaxMs?: number;
  /** How long an attempt may take. */
  connectTimeoutMs?: number;
  /** Heart-beats each way; two missed ones end the connection. */
  heartbeatMs?: number;
  /** How many sends and other orders may wait for their answer. */
  queueLimit?: number;
  /** The largest body that the server takes, in bytes. */
  maxBodyBytes?: number;
  /** Whether to follow the inbox: notifications, and copies of messages in other rooms; default true. */
  inbox?: boolean;
  /** From which seq of the inbox to go on; by default from now. */
  lastInboxSeq?: number;
  /** Whether to tell the server what was delivered, which gives the others their ticks; default true. */
  acknowledge?: boolean;
  transport?: Transport;
  webSocketFactory?: SocketFactory;
  sockJSFactory?: SockJSFactory;
  fetch?: Fetch;
}

export type Settings = Required<
  Omit<ClientOptions, "serverUrl" | "jwtToken" | "lastInboxSeq" | "webSocketFactory" | "sockJSFactory">
> &
  Pick<ClientOptions, "webSocketFactory" | "sockJSFactory" | "lastInboxSeq">;

export function settingsOf(options: ClientOptions): Settings {
  return {
    autoReconnect: options.autoReconnect ?? true,
    reconnectMinMs: options.reconnectMinMs ?? 500,
    reconnectMaxMs: options.reconnectMaxMs ?? 30_000,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    heartbeatMs: options.heartbeatMs ?? 10_000,
    queueLimit: options.queueLimit ?? 1_000,
    maxBodyBytes: options.maxBodyBytes ?? 65_536,
    inbox: options.inbox ?? true,
    lastInboxSeq: options.lastInboxSeq,
    acknowledge: options.acknowledge ?? true,
    transport: options.transport ?? "websocket",
    webSocketFactory: options.webSocketFactory,
    sockJSFactory: options.sockJSFactory,
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
  };
}
