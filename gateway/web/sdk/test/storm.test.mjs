// Random losses, lost answers, drains and refusals, from a seed: whatever happens, each program sees the log once and
// in order, and what it sent stands there once and in the order of sending.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { FliliyWebSocketClient } from "fliliy-websocket-client";
import { endTime, fakeTime, pass, World } from "./world.mjs";

/** mulberry32: small, and the same everywhere. */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What can go wrong with one frame of the client. */
function trouble(world, random) {
  return (socket, got) => {
    if (got.command === "CONNECT" || got.command === "DISCONNECT" || random() > 0.06) return false;
    const isSend = got.command === "SEND" && got.headers.destination.startsWith("/app/chat/");
    const kind = Math.floor(random() * 4);
    if (kind === 0) socket.end(1006);
    else if (kind === 1 && isSend) {
      world.take(got, () => {}); // stored, but nobody hears of it
      socket.end(1006);
    } else if (kind === 2) world.refuse(socket, got, random() < 0.5 ? "RATE_LIMITED" : "UNAVAILABLE", Math.floor(random() * 900));
    else if (kind === 3) socket.event("/user/queue/errors", { event: "DRAIN", reconnectAfterMs: 1_000 });
    return kind < 3 && (kind !== 1 || isSend);
  };
}

async function storm(seed) {
  const random = generator(seed);
  mock.method(Math, "random", random);
  fakeTime();
  const world = new World();
  world.replayCap = 20;
  const client = new FliliyWebSocketClient({
    serverUrl: ["http://one.test", "http://two.test", "http://three.test"], jwtToken: "t", ...world,
    webSocketFactory: world.webSocketFactory, fetch: world.fetch, reconnectMaxMs: 3_000,
  });
  const seen = { 1: [], 2: [] };
  client.on("message", (event) => seen[event.chatRoomId].push(event.content));
  client.connect();
  await pass(100);
  for (const room of [1, 2]) await client.subscribeToChatRoom(room, { lastSeq: 0 });
  world.intercept = trouble(world, random);
  const sends = [];
  for (let i = 0; i < 120; i++) {
    const room = 1 + (i % 2);
    if (random() < 0.5) sends.push([room, `own ${i}`, client.sendTextMessage(room, `own ${i}`)]);
    else world.say(room, `bob ${i}`);
    if (random() < 0.05) world.socket?.end(1012);
    if (random() < 0.3) await pass(Math.floor(random() * 700), 100);
  }
  world.intercept = () => false;
  await pass(60_000, 500);
  const stored = await Promise.all(sends.map(([, , promise]) => promise));
  for (const room of [1, 2]) {
    const log = world.log(`/topic/chat/${room}`);
    assert.deepEqual(seen[room], log.map((event) => event.content), `seed ${seed}: what the program saw of room ${room}`);
    const own = sends.filter(([where]) => where === room).map(([, text]) => text);
    assert.deepEqual(log.filter((event) => event.senderId === "alice").map((event) => event.content), own);
  }
  sends.forEach(([room, text], i) => assert.equal(world.log(`/topic/chat/${room}`)[stored[i].seq - 1].content, text));
  const { length } = world.opened;
  await endTime([client]);
  return length;
}

test("storms", async () => {
  let connections = 0;
  for (let seed = 1; seed <= 12; seed++) connections += await storm(seed);
  assert.ok(connections > 60, `only ${connections} connections: the storms were calm`);
});
