// Compiled, never run: what programs in TypeScript write, as an ES module.
import { ChatError, FliliyWebSocketClient, type MessageEvent, type Stored } from "fliliy-websocket-client";

export async function program(token: string): Promise<Stored> {
  const client = new FliliyWebSocketClient({ serverUrl: ["http://a.test", "http://b.test"], jwtToken: async () => token });
  const seen: MessageEvent[] = [];
  const off: () => void = client.on("message", (message) => seen.push(message));
  client.once("userStatus", ({ userId, status }) => [userId, status === "online"]);
  client.on("error", (error: ChatError) => error.code === "RATE_LIMITED" && error.retryAfterMs);
  // @ts-expect-error there is no such event
  client.on("mesage", off);
  // @ts-expect-error a status that nobody can set
  void client.updateStatus("offline");
  await client.sendVoiceMessage(1, { url: "https://a.test/v.ogg", durationMs: 900 });
  return client.sendTextMessage("1", "text", { clientMessageId: "a" });
}
