// Everything that programs may use.
export { FliliyWebSocketClient, type Attachment, type SendOptions, type State, type Stored } from "./client.js";
export { ChatError, type ErrorCode } from "./errors.js";
export type * from "./events.js";
export type { ClientOptions } from "./options.js";
export type { SockJSFactory, SocketFactory, Transport } from "./socket.js";
export type { TokenOption } from "./token.js";
