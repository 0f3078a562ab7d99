// Connections and servers come and go: nothing is lost, doubled or left behind.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { codeOf, eachInItsWorld, make, upTo, world } from "./rig.mjs";
import { jwt, pass, settle } from "./world.mjs";

eachInItsWorld();

test("goes on with rooms and inbox where they stood, on the next server", async () => {
  const { client, seqs, states } = make();
  await client.connect();
  await client.subscribeToChatRoom(1);
  world.say(1, "a");
  world.socket.event("/user/queue/messages", { event: "NOTIFICATION", seq: 1 });
  world.socket.end(1012);
  for (let i = 0; i < 5; i++) world.say(1, "missed");
  await pass(1_000);
  world.say(1, "live");
  assert.deepEqual(seqs, upTo(7));
  assert.deepEqual(states, ["connected node of one.test", "disconnected", "reconnecting", "connected node of two.test"]);
  assert.equal(world.sent("SUBSCRIBE", "/topic/chat/1")[1].headers["last-seq"], "1");
  assert.equal(world.sent("SUBSCRIBE", "/user/queue/messages")[1].headers["last-seq"], "1");
});

test("before the first event it goes on from where the RECEIPT said", async () => {
  world.say(1, "old");
  const { client, seqs } = make();
  await client.connect();
  await client.subscribeToChatRoom(1);
  world.socket.end(1006);
  world.say(1, "missed");
  await pass(1_000);
  assert.deepEqual(seqs, [2]);
});

test("what has no answer is sent again under its name, and stored once", async () => {
  const { client } = make();
  await client.connect();
  world.intercept = (socket, got) => {
    if (got.command !== "SEND") return false;
    world.intercept = () => false;
    world.take(got, () => {}); // it is stored, and the connection ends before the RECEIPT
    socket.end(1006);
    return true;
  };
  const sends = ["a", "b", "c"].map((text) => client.sendTextMessage(1, text));
  await pass(1_000);
  const stored = await Promise.all(sends);
  assert.deepEqual(stored.map(({ seq, duplicate }) => [seq, duplicate]), [[1, true], [2, false], [3, false]]);
  const names = world.sent("SEND").map((got) => JSON.parse(got.body).clientMessageId);
  assert.equal(names[0], names[1]);
  assert.equal(new Set(names).size, 3);
  assert.match(names[0], /^[0-9a-f]{32}$/);
});

test("what is sent offline waits, in order of each room", async () => {
  const { client } = make();
  world.down.add("ws://one.test/ws").add("ws://two.test/ws");
  const connecting = client.connect();
  const sends = ["a", "b", "c"].map((text) => client.sendTextMessage(1, text));
  await pass(20_000);
  assert.equal(client.pending, 3);
  assert.equal(client.state, "connecting");
  world.down.clear();
  await pass(35_000);
  await connecting;
  assert.deepEqual((await Promise.all(sends)).map((stored) => stored.seq), [1, 2, 3]);
});

test("waits a random time up to a bound that doubles", async () => {
  let chance = 1;
  mock.method(Math, "random", () => chance);
  const { client } = make({ reconnectMinMs: 100, reconnectMaxMs: 1_000 });
  const waits = [];
  client.on("reconnecting", ({ attempt, delayMs }) => waits.push([attempt, delayMs]));
  world.down.add("ws://one.test/ws").add("ws://two.test/ws");
  client.connect();
  await pass(3_000, 50);
  assert.deepEqual(waits.slice(0, 6), [[1, 100], [2, 200], [3, 400], [4, 800], [5, 1000], [6, 1000]]);
  assert.deepEqual(world.opened.slice(0, 3).map((socket) => new URL(socket.url).host), ["one.test", "two.test", "one.test"]);
  chance = 0;
  await pass(1_100);
  assert.deepEqual(waits.at(-1)[1], 0);
});

test("a connection that does not last does not make the waits short again", async () => {
  mock.method(Math, "random", () => 1);
  const { client } = make();
  const attempts = [];
  client.on("reconnecting", ({ attempt }) => attempts.push(attempt));
  await client.connect();
  world.socket.end(1006);
  await pass(600);
  world.socket.end(1006);
  await pass(1_100);
  world.say(1, "");
  await pass(6_000);
  world.socket.end(1006);
  await settle();
  assert.deepEqual(attempts, [1, 2, 1]);
});

test("without autoReconnect each server is tried once, and a loss is the end", async () => {
  const { client, states, errors } = make({ autoReconnect: false });
  world.down.add("ws://one.test/ws").add("ws://two.test/ws");
  assert.equal(await codeOf(client.connect()), "UNAVAILABLE");
  assert.equal(world.opened.length, 2);
  world.down.delete("ws://two.test/ws");
  await client.connect();
  const waiting = codeOf(client.subscribeToChatRoom(1).then(() => client.sendTextMessage(1, "x")));
  world.intercept = (socket, got) => got.command === "SEND" && (socket.end(1011), true);
  assert.equal(await waiting, "DISCONNECTED");
  await pass(60_000);
  assert.equal(client.state, "disconnected");
  assert.equal(states.at(-1), "disconnected");
  assert.equal(errors.at(-1), "DISCONNECTED");
});

test("a server that leaves is left in time, without loss, double or silence", async () => {
  const { client, seqs, states } = make();
  await client.connect();
  await client.subscribeToChatRoom(1);
  const old = world.socket;
  world.say(1, "a");
  old.event("/user/queue/errors", { event: "DRAIN", reconnectAfterMs: 4_000 });
  let held = [];
  world.intercept = (socket, got) => socket !== old && got.command === "SUBSCRIBE" && held.push([socket, got]) > 0;
  await pass(2_500);
  assert.equal(world.sockets.size, 2, "both connections are open while the new one catches up");
  world.say(1, "by the old one");
  await client.sendTextMessage(1, "sent by the old one");
  assert.equal(old.sent.at(-1).command, "SEND");
  assert.deepEqual(seqs, [1, 2, 3]);
  await client.subscribeToChatRoom(2);
  world.intercept = () => false;
  for (const [socket, got] of held) world.receive(socket, got);
  await settle();
  assert.deepEqual(Array.from(world.sockets), [world.opened.at(-1)]);
  assert.deepEqual(old.sent.slice(-2).map((got) => got.command), ["ACK", "DISCONNECT"]);
  world.say(1, "by the new one");
  await client.sendTextMessage(1, "sent by the new one");
  assert.deepEqual(seqs, upTo(5));
  world.say(2, "in a room that was subscribed meanwhile");
  assert.deepEqual(seqs, [...upTo(5), 1]);
  assert.deepEqual(states, ["connected node of one.test", "drain", "connected node of two.test"]);
});

test("state comes once while two connections are open", async () => {
  const { client } = make();
  const got = [];
  client.on("typing", ({ userId }) => got.push(userId));
  client.on("presence", ({ online }) => got.push(online));
  await client.connect();
  await client.subscribeToChatRoom(1);
  await client.subscribeToChatRoom(2);
  const old = world.socket;
  world.intercept = (socket, { headers }) => socket !== old && headers.destination === "/topic/chat/2";
  old.event("/user/queue/errors", { event: "DRAIN", reconnectAfterMs: 1_000 });
  await pass(1_000);
  assert.equal(world.sockets.size, 2);
  for (const socket of world.sockets) socket.event("/topic/chat/1", { event: "TYPING", chatRoomId: "1", userId: "bob" });
  world.socket.event("/topic/chat/1", { event: "PRESENCE", chatRoomId: "1", online: [] });
  assert.deepEqual(got, ["bob", []]);
});

test("what a leaving server has not answered is sent again by the next one, once", async () => {
  const { client } = make();
  await client.connect();
  const old = world.socket;
  world.intercept = (socket, got) => socket === old && got.command === "SEND";
  const first = client.sendTextMessage(1, "a");
  await settle();
  old.event("/user/queue/errors", { event: "DRAIN", reconnectAfterMs: 1_000 });
  await pass(2_000);
  assert.equal((await first).seq, 1);
  let held;
  world.intercept = (socket, got) => got.command === "SEND" && !held && ((held = [socket, got]), true);
  const second = client.sendTextMessage(1, "b");
  const third = client.sendTextMessage(1, "c");
  await pass(1_000);
  world.receive(...held);
  assert.deepEqual([(await second).seq, (await third).seq], [2, 3]);
  assert.deepEqual(world.sent("SEND").map((got) => JSON.parse(got.body).content), ["a", "a", "b", "c"]);
});

test("what was sent again is not sent once more when the old connection is given up", async () => {
  const { client } = make();
  await client.connect();
  const old = world.socket;
  world.intercept = (_, got) => got.command === "SEND";
  const stored = client.sendTextMessage(1, "a");
  await settle();
  old.event("/user/queue/errors", { event: "DRAIN", reconnectAfterMs: 1_000 });
  await pass(2_000);
  const later = client.sendTextMessage(1, "b");
  await settle();
  assert.equal(world.sent("SEND").length, 2, "one by each connection");
  world.intercept = () => false;
  world.receive(world.socket, world.sent("SEND")[1]);
  assert.deepEqual([(await stored).seq, (await later).seq], [1, 2]);
});

test("a server that leaves before the next one is found is resumed all the same", async () => {
  const { client, seqs } = make();
  await client.connect();
  await client.subscribeToChatRoom(1);
  world.down.add("ws://two.test/ws").add("ws://one.test/ws");
  world.socket.event("/user/queue/errors", { event: "DRAIN", reconnectAfterMs: 1_000 });
  await pass(1_000);
  world.socket.end(1012);
  world.say(1, "missed");
  world.down.clear();
  await pass(30_000);
  assert.equal(client.state, "connected");
  assert.deepEqual(seqs, [1]);
});

test("silence is a loss", async () => {
  const { client, states } = make({ heartbeatMs: 10_000 });
  await client.connect();
  await pass(45_000, 1_000);
  assert.deepEqual(states.slice(0, 3), ["connected node of one.test", "disconnected", "reconnecting"]);
  await client.disconnect();
});

test("a server that does not answer is left", async () => {
  const { client } = make({ heartbeatMs: 0 });
  await client.connect();
  world.intercept = (socket, got) => got.command === "SEND" && socket === world.opened[0];
  const stored = client.sendTextMessage(1, "x");
  await pass(31_000, 1_000);
  assert.equal((await stored).seq, 1);
  assert.equal(client.node, "node of two.test");
});

test("a handshake that does not end is given up", async () => {
  const { client } = make();
  world.intercept = (socket, got) => got.command === "CONNECT" && socket.url.includes("one");
  const connecting = client.connect();
  await pass(11_000, 1_000);
  await connecting;
  assert.equal(client.node, "node of two.test");
});

test("the status is set again on every connection", async () => {
  const { client } = make();
  await client.connect();
  await client.updateStatus("busy");
  world.socket.end(1006);
  await pass(1_000);
  assert.deepEqual(world.sent("SEND").map((got) => got.body), ['{"status":"busy"}', '{"status":"busy"}']);
});

test("what makes the server close the connection is not sent for ever", async () => {
  const { client } = make();
  await client.connect();
  world.intercept = (socket, got) => got.command === "SEND" && got.body.includes("poison") && (socket.end(1009), true);
  const poison = codeOf(client.sendTextMessage(1, "poison"));
  const after = client.sendTextMessage(1, "fine");
  await pass(3_000);
  assert.equal(await poison, "INVALID");
  assert.equal((await after).seq, 1);
  world.intercept = (socket, got) => got.command === "SEND" && (world.fail(socket, got, "TOO_LARGE"), true);
  assert.equal(await codeOf(client.sendTextMessage(1, "named by the ERROR frame")), "TOO_LARGE");
});

test("rooms are kept over disconnect and connect", async () => {
  const { client, seqs } = make();
  await client.connect();
  await client.subscribeToChatRoom(1);
  await client.disconnect();
  world.say(1, "meanwhile");
  await client.connect();
  await settle();
  assert.deepEqual(seqs, [1]);
});

test("disconnect ends attempts, too", async () => {
  const { client } = make();
  world.down.add("ws://one.test/ws").add("ws://two.test/ws");
  const connecting = codeOf(client.connect());
  await pass(2_000);
  await client.disconnect();
  const { length } = world.opened;
  await pass(60_000, 1_000);
  assert.equal(world.opened.length, length);
  assert.equal(await connecting, "DISCONNECTED");
});

test("disconnect ends a handshake, too", async () => {
  const { client } = make();
  world.intercept = () => true;
  const connecting = codeOf(client.connect());
  await settle();
  assert.equal(world.sockets.size, 1);
  await client.disconnect();
  assert.equal(world.sockets.size, 0);
  assert.equal(await connecting, "DISCONNECTED");
});

test("SockJS by option, and when WebSocket cannot get through", async () => {
  const sockJSFactory = (url) => world.webSocketFactory(url);
  const { client } = make({ transport: "sockjs", sockJSFactory });
  await client.connect();
  assert.equal(world.opened[0].url, "http://one.test/ws");
  world.down.add("ws://one.test/ws").add("ws://two.test/ws");
  const { client: auto } = make({ transport: "auto", sockJSFactory });
  auto.connect();
  await pass(3_000);
  assert.deepEqual(world.opened.slice(1).map((socket) => socket.url), ["ws://one.test/ws", "http://two.test/ws"]);
  world.socket.end(1006);
  await pass(3_000);
  assert.equal(world.opened.at(-1).url, "http://one.test/ws", "what worked goes on being used");
});

test("without a WebSocket it says what to do", async () => {
  const { client } = make({ webSocketFactory: undefined });
  await assert.rejects(client.connect(), /webSocketFactory/);
});
