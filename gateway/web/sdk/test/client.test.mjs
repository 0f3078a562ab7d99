// The surface of the client: connecting, sending, following rooms, errors.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { ChatError, FliliyWebSocketClient } from "fliliy-websocket-client";
import { endTime, fakeTime, jwt, pass, settle, World } from "./world.mjs";

let world;
let clients;
beforeEach(() => {
  fakeTime();
  world = new World();
  clients = [];
});
afterEach(() => endTime(clients));

function make(more = {}) {
  const { webSocketFactory, fetch } = world;
  const client = new FliliyWebSocketClient({
    serverUrl: "http://one.test", jwtToken: "t", webSocketFactory, fetch, ...more,
  });
  const seen = [];
  client.on("event", (event) => seen.push(event));
  const errors = [];
  client.on("error", (error) => errors.push(error.code));
  clients.push(client);
  return { client, seen, errors };
}

const codeOf = (promise) => promise.then(() => "resolved", (error) => (error instanceof ChatError ? error.code : error));

test("connects, follows a room, sends, and is told what happens", async () => {
  const { client, seen } = make();
  const connected = [];
  client.on("connected", (detail) => connected.push(detail));
  await client.connect();
  assert.deepEqual(connected, [{ server: "http://one.test", node: "node of one.test", userId: "alice", reconnected: false }]);
  assert.equal(client.state, "connected");
  assert.equal(client.userId, "alice");
  world.say(42, "before");
  assert.deepEqual(await client.subscribeToChatRoom("42"), { chatRoomId: "42", seq: 1 });
  const stored = await client.sendTextMessage(42, "你好");
  assert.deepEqual(stored, { messageId: "42-2", seq: 2, duplicate: false });
  assert.equal(seen.length, 1);
  assert.equal(seen[0].content, "你好");
  assert.equal(client.lastSeq("42"), 2);
  await client.disconnect();
  assert.equal(client.state, "disconnected");
  assert.equal(world.sockets.size, 0);
});

test("shows the token in CONNECT, and in no address", async () => {
  const { client } = make({ jwtToken: async () => "secret" });
  await client.connect();
  assert.equal(world.opened[0].url, "ws://one.test/ws");
  assert.equal(world.sent("CONNECT")[0].headers.Authorization, "Bearer secret");
});

test("sends what the contract says", async () => {
  const { client } = make();
  await client.connect();
  await client.sendImageMessage(7, "https://x.test/a.png", { clientMessageId: "i1" });
  await client.sendVoiceMessage(7, { url: "https://x.test/a.ogg", durationMs: 1200 }, { clientMessageId: "v1" });
  await client.editMessage(7, 1, "new", { clientMessageId: "e1" });
  await client.recallMessage(7, 2);
  await client.markAsRead(7, 2);
  await client.updateStatus("away");
  client.sendTyping(7);
  client.sendTyping(7); // within the same second
  await settle();
  const sends = world.sent("SEND").map(({ headers, body }) => [headers.destination, body && JSON.parse(body)]);
  assert.deepEqual(sends, [
    ["/app/chat/7/send", { type: "IMAGE", content: "https://x.test/a.png", clientMessageId: "i1" }],
    ["/app/chat/7/send", {
      type: "VOICE", content: "https://x.test/a.ogg", clientMessageId: "v1",
      attachment: { url: "https://x.test/a.ogg", durationMs: 1200 },
    }],
    ["/app/chat/7/edit", { seq: 1, content: "new", clientMessageId: "e1" }],
    ["/app/chat/7/recall", { seq: 2 }],
    ["/app/chat/7/read", { seq: 2 }],
    ["/app/user/status", { status: "away" }],
    ["/app/chat/7/typing", ""],
  ]);
});

test("typing is told again after a message, which ends it for the others", async () => {
  const { client } = make();
  await client.connect();
  client.sendTyping(7);
  const sent = client.sendTextMessage("7", "hi");
  client.sendTyping(7);
  client.sendTyping(7); // within the same second
  await sent;
  await settle();
  const destinations = world.sent("SEND").map(({ headers }) => headers.destination);
  assert.deepEqual(destinations.sort(), ["/app/chat/7/send", "/app/chat/7/typing", "/app/chat/7/typing"]);
});

test("every kind of event has its name", async () => {
  const { client } = make();
  await client.connect();
  await client.subscribeToChatRoom(5);
  const names = [
    "message", "edited", "recalled", "member", "read", "delivered", "typing", "userStatus", "presence", "notification", "copy",
  ];
  const got = [];
  for (const name of names) client.on(name, (event) => got.push([name, event.event]));
  const kinds = { MESSAGE: 1, EDITED: 2, RECALLED: 3, MEMBER: 4, READ: 0, DELIVERED: 0, TYPING: 0, USER_STATUS: 0, PRESENCE: 0 };
  for (const [event, seq] of Object.entries(kinds)) {
    world.socket.event("/topic/chat/5", { event, chatRoomId: "5", ...(seq && { seq }) });
  }
  world.socket.event("/user/queue/messages", { event: "NOTIFICATION", seq: 1 });
  world.socket.event("/user/queue/messages", { event: "MESSAGE", chatRoomId: "6", seq: 9 });
  world.socket.event("/user/queue/messages", { event: "MESSAGE", chatRoomId: "5", seq: 5 }); // the room brings it
  world.socket.event("/user/queue/messages", { event: "MESSAGE_FROM_THE_FUTURE", seq: 2 });
  assert.deepEqual(got, [
    ["message", "MESSAGE"], ["edited", "EDITED"], ["recalled", "RECALLED"], ["member", "MEMBER"], ["read", "READ"],
    ["delivered", "DELIVERED"], ["typing", "TYPING"], ["userStatus", "USER_STATUS"], ["presence", "PRESENCE"],
    ["notification", "NOTIFICATION"], ["copy", "MESSAGE"],
  ]);
});

test("a refusal rejects the promise it is about, and is told by error as well", async () => {
  const { client, errors } = make();
  await client.connect();
  world.intercept = (socket, got) => got.command === "SEND" && (world.refuse(socket, got, "FORBIDDEN"), true);
  const refused = client.sendTextMessage(1, "x");
  await assert.rejects(refused, { code: "FORBIDDEN", message: "refused: FORBIDDEN", destination: "/app/chat/1/send" });
  client.sendTextMessage(1, "y"); // nobody waits for it: that is no unhandled rejection
  await settle();
  assert.deepEqual(errors, ["FORBIDDEN", "FORBIDDEN"]);
  assert.equal(client.pending, 0);
});

test("is told to wait and sends again, in order", async () => {
  const { client, errors } = make();
  await client.connect();
  let refusals = 2;
  world.intercept = (socket, got) => {
    if (got.command !== "SEND" || refusals === 0) return false;
    world.refuse(socket, got, refusals-- === 2 ? "RATE_LIMITED" : "UNAVAILABLE", 3_000);
    return true;
  };
  const both = Promise.all([client.sendTextMessage(1, "a"), client.sendTextMessage(1, "b")]);
  await pass(1_000);
  const third = client.sendTextMessage(1, "c");
  await pass(1_500);
  assert.equal(world.sent("SEND").length, 1);
  await pass(8_000);
  assert.deepEqual((await both).map((stored) => stored.seq), [1, 2]);
  assert.equal((await third).seq, 3);
  assert.deepEqual(world.log("/topic/chat/1").map((event) => event.content), ["a", "b", "c"]);
  assert.deepEqual(errors, []);
});

test("what can never be sent is refused here", async () => {
  const { client, errors } = make({ queueLimit: 2 });
  assert.equal(await codeOf(client.sendTextMessage("room", "x")), "INVALID");
  assert.equal(await codeOf(client.subscribeToChatRoom("-1")), "INVALID");
  assert.equal(await codeOf(client.sendTextMessage(1, "好".repeat(22_000))), "TOO_LARGE");
  const waiting = [codeOf(client.sendTextMessage(1, "a")), codeOf(client.sendTextMessage(2, "b"))];
  assert.equal(await codeOf(client.sendTextMessage(3, "c")), "QUEUE_FULL");
  await client.disconnect();
  assert.deepEqual(await Promise.all(waiting), ["DISCONNECTED", "DISCONNECTED"]);
  assert.deepEqual(errors, ["INVALID", "INVALID", "TOO_LARGE", "QUEUE_FULL"], "the program knows that it has disconnected");
  assert.throws(() => new FliliyWebSocketClient({ serverUrl: "somewhere", jwtToken: "t" }), { code: "INVALID" });
  assert.throws(() => new FliliyWebSocketClient({ jwtToken: "t" }), { code: "INVALID" });
});

test("a room that is refused is not followed", async () => {
  const { client, errors } = make();
  world.forbidden.add("/topic/chat/9");
  await client.connect();
  assert.equal(await codeOf(client.subscribeToChatRoom(9)), "FORBIDDEN");
  assert.deepEqual(client.chatRooms, []);
  assert.deepEqual(errors, ["FORBIDDEN"]);
});

test("a room whose access is lost is not followed any more", async () => {
  const { client, errors } = make();
  const ended = [];
  client.on("unsubscribed", (detail) => ended.push([detail.chatRoomId, detail.error?.code]));
  await client.connect();
  await client.subscribeToChatRoom(9);
  world.socket.event("/user/queue/errors", { event: "ERROR", code: "FORBIDDEN", message: "", destination: "/topic/chat/9" });
  assert.deepEqual(ended, [["9", "FORBIDDEN"]]);
  assert.deepEqual(errors, ["FORBIDDEN"]);
  world.socket.end(1006);
  await pass(2_000);
  assert.equal(world.sent("SUBSCRIBE", "/topic/chat/9").length, 1);
});

test("a subscription that cannot be had now is asked for again", async () => {
  const { client } = make();
  await client.connect();
  let refusals = 3;
  world.intercept = (socket, got) =>
    got.command === "SUBSCRIBE" && refusals-- > 0 && (world.refuse(socket, got, "UNAVAILABLE", 1_000), true);
  const live = client.subscribeToChatRoom(3);
  await pass(900);
  assert.equal(world.sent("SUBSCRIBE", "/topic/chat/3").length, 1);
  await pass(15_000);
  assert.deepEqual(await live, { chatRoomId: "3", seq: 0 });
});

test("unsubscribes, and what comes late is not told", async () => {
  const { client, seen } = make();
  await client.connect();
  await client.subscribeToChatRoom(3);
  const id = world.sent("SUBSCRIBE", "/topic/chat/3")[0].headers.id;
  await client.unsubscribeFromChatRoom(3);
  assert.equal(world.sent("UNSUBSCRIBE")[0].headers.id, id);
  world.socket.subscriptions.set("/topic/chat/3", id);
  world.say(3, "late");
  assert.deepEqual(seen, []);
  await client.subscribeToChatRoom(3);
  world.say(3, "again");
  assert.deepEqual(seen.map((event) => event.content), ["again"]);
});

test("a subscription that is given up before its answer never was", async () => {
  const { client } = make();
  const told = [];
  client.on("subscribed", ({ chatRoomId }) => told.push(chatRoomId));
  await client.connect();
  const live = codeOf(client.subscribeToChatRoom(3));
  await client.unsubscribeFromChatRoom(3);
  assert.equal(await live, "DISCONNECTED");
  assert.deepEqual([told, client.chatRooms], [[], []]);
});

test("acknowledges the newest of a burst, once", async () => {
  const { client } = make();
  await client.connect();
  await client.subscribeToChatRoom(3);
  assert.equal(world.sent("SUBSCRIBE", "/topic/chat/3")[0].headers.ack, "client");
  for (let i = 0; i < 10; i++) world.say(3, String(i));
  await pass(1_000);
  assert.deepEqual(world.sent("ACK").map((got) => got.headers.id), ["a-10"]);
  world.say(3, "just before the end");
  await client.disconnect();
  assert.deepEqual(world.sent("ACK").map((got) => got.headers.id), ["a-10", "a-11"]);
});

test("without a seq, read means what the program has seen", async () => {
  const { client } = make();
  await client.connect();
  await client.subscribeToChatRoom(3);
  for (const text of ["a", "b", "c"]) world.say(3, text);
  await client.markAsRead(3);
  assert.deepEqual(JSON.parse(world.sent("SEND")[0].body), { seq: 3 });
});

test("read marks that wait become one", async () => {
  const { client } = make();
  const marks = [client.markAsRead(3, 1), client.markAsRead(3, 9), client.markAsRead(3, 4)];
  await client.connect();
  await Promise.all(marks);
  assert.deepEqual(world.sent("SEND").map((got) => got.body), ['{"seq":9}']);
});

test("on, once and off", async () => {
  const { client } = make();
  const got = [];
  const always = () => got.push("always");
  const first = () => got.push("once");
  client.on("connected", always);
  client.once("connected", first);
  client.once("connected", () => got.push("never"))();
  client.once("disconnected", always);
  client.off("disconnected", always);
  await client.connect();
  await client.disconnect();
  await client.connect();
  client.off("connected");
  await client.disconnect();
  await client.connect();
  assert.deepEqual(got, ["always", "once", "always"]);
});

test("shows frames without tokens", async () => {
  const token = jwt(Date.now() + 3_600_000);
  const { client } = make({ jwtToken: token });
  const frames = [];
  client.on("frame", (shown) => frames.push(shown));
  await client.connect();
  await settle();
  const connect = frames.find((shown) => shown.text.startsWith("CONNECT\n"));
  assert.equal(connect.direction, "out");
  assert.match(connect.text, /Authorization:Bearer …/);
  assert.ok(!JSON.stringify(frames).includes(token.split(".")[1]));
});

test("a body that is no JSON is told and costs nothing", async () => {
  const { client, errors, seen } = make();
  await client.connect();
  await client.subscribeToChatRoom(3);
  world.socket.push("MESSAGE", { subscription: world.sent("SUBSCRIBE", "/topic/chat/3")[0].headers.id, "message-id": "x" }, "{");
  world.say(3, "fine");
  assert.deepEqual(errors, ["INTERNAL"]);
  assert.equal(seen.length, 1);
});

test("knows addresses as people write them", async () => {
  const cases = {
    "http://a.test:8080": "ws://a.test:8080/ws",
    "https://a.test/": "wss://a.test/ws",
    "http://a.test/ws": "ws://a.test/ws",
    "wss://a.test/chat/ws/": "wss://a.test/chat/ws",
    " ws://a.test ": "ws://a.test/ws",
  };
  for (const [serverUrl, want] of Object.entries(cases)) {
    const { client } = make({ serverUrl });
    await client.connect();
    assert.equal(world.opened.at(-1).url, want);
    await client.disconnect();
  }
});
