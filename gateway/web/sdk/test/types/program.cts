// Compiled, never run: what programs in TypeScript write, as CommonJS.
import client = require("fliliy-websocket-client");

export const chat = new client.FliliyWebSocketClient({ jwtToken: "t", transport: "auto" });
export const failed = (cause: unknown): boolean => cause instanceof client.ChatError && cause.code === "FORBIDDEN";
