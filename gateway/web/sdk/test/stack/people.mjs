// What the scripts of this folder share: they run against a real system, are given their orders as JSON by the
// end-to-end tests (deploy/e2e), and print what they saw, for those to judge.
import { text } from "node:stream/consumers";
import WebSocket from "ws";
import { FliliyWebSocketClient } from "fliliy-websocket-client";

export const readOrders = async () => JSON.parse(await text(process.stdin));

/** A client that writes down all it sees. */
export function person(options) {
  const client = new FliliyWebSocketClient({
    webSocketFactory: (url, protocols) => new WebSocket(url, protocols),
    reconnectMinMs: 50,
    reconnectMaxMs: 500,
    ...options,
  });
  const me = { client, seen: [], stored: [], errors: [], nodes: [], gaps: 0, drains: 0 };
  client.on("message", ({ seq, messageId, senderId, content }) => me.seen.push({ seq, messageId, senderId, content }));
  client.on("error", (error) => me.errors.push(`${error.code} ${error.message}`));
  client.on("connected", ({ server }) => me.nodes.push(server));
  client.on("gap", () => me.gaps++);
  client.on("drain", () => me.drains++);
  return me;
}

/** Sends messages, so many at a time; progress is told after each that is stored. */
export async function talk(me, room, lines, width, progress = () => {}) {
  const left = lines.map((content, i) => ({ content, i }));
  const one = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      me.stored[next.i] = { content: next.content, ...(await me.client.sendTextMessage(room, next.content)) };
      progress();
    }
  };
  await Promise.all(Array.from({ length: width }, one));
}

/** Resolves once everything up to seq has come. */
export const caughtUp = (me, room, seq) =>
  new Promise((resolve) => {
    const look = () => (me.client.lastSeq(room) ?? 0) >= seq && resolve();
    me.client.on("event", look);
    look();
  });

export const report = ({ seen, stored, errors, nodes, gaps, drains }) => ({ seen, stored, errors, nodes, gaps, drains });

export const print = (value) => new Promise((resolve) => process.stdout.write(`${JSON.stringify(value)}\n`, resolve));
