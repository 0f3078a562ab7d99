// The order of a room: what comes too early, too late, twice, or not at all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eachInItsWorld, make, upTo, world } from "./rig.mjs";
import { pass, settle } from "./world.mjs";

eachInItsWorld();

test("doubles are dropped, what comes too early waits for what is missing", async () => {
  const { client, seqs } = make();
  await client.connect();
  await client.subscribeToChatRoom(1, { lastSeq: 0 });
  const lost = [1, 2, 3, 4, 5, 6].map((n) => ({ event: "MESSAGE", chatRoomId: "1", seq: n }));
  world.log("/topic/chat/1").push(...lost);
  for (const n of [0, 0, 3, 2, 3, 5]) world.socket.event("/topic/chat/1", lost[n]);
  assert.deepEqual(seqs, [1]);
  await settle();
  assert.deepEqual(seqs, upTo(6));
});

test("a gap is read by REST and delivered before what follows it", async () => {
  const { client, seqs } = make();
  const gaps = [];
  client.on("gap", ({ fromSeq, toSeq }) => gaps.push([fromSeq, toSeq]));
  await client.connect();
  await client.subscribeToChatRoom(1);
  world.say(1, "first");
  world.socket.end(1006);
  for (let i = 0; i < 2_999; i++) world.say(1, "missed");
  await pass(600);
  world.say(1, "live");
  await settle();
  assert.deepEqual(gaps, [[2, 2000]]);
  assert.deepEqual(seqs, upTo(3_001));
  assert.equal(world.pages.length, 4);
  assert.equal(world.pages[0].url, "http://two.test/api/v1/chat-rooms/1/messages?afterSeq=1&limit=500");
  assert.equal(world.pages[0].headers.Authorization, "Bearer t");
});

test("what was written while the user was out of the room is no hole", async () => {
  const { client, seqs, errors } = make();
  for (let i = 0; i < 1_200; i++) world.say(1, "");
  for (const hidden of [4, 5, 6, 900, 1_150]) world.hidden.add(hidden);
  await client.connect();
  await client.subscribeToChatRoom(1, { lastSeq: 0 });
  await settle();
  world.say(1, "live");
  const visible = upTo(1_201).filter((seq) => !world.hidden.has(seq));
  assert.deepEqual(seqs, visible);
  assert.deepEqual(errors, []);
});

test("more than can be kept comes in order, too", async () => {
  const { client, seqs } = make();
  world.replayCap = 5_000;
  for (let i = 0; i < 6_000; i++) world.say(1, "");
  await client.connect();
  await client.subscribeToChatRoom(1, { lastSeq: 0 });
  await settle();
  assert.deepEqual(seqs, upTo(6_000));
});

test("a gap survives failing pages and a lost connection", async () => {
  let failures = 3;
  const { client, seqs, errors } = make({
    fetch: async (...args) => {
      if (failures-- > 0) throw new TypeError("network");
      if (failures === -3) world.socket.end(1006);
      return world.fetch(...args);
    },
  });
  for (let i = 0; i < 4_000; i++) world.say(1, "");
  await client.connect();
  await client.subscribeToChatRoom(1, { lastSeq: 0 });
  await pass(20_000);
  assert.deepEqual(seqs, upTo(4_000));
  assert.equal(world.opened.length, 2);
  assert.deepEqual(errors, []);
});

test("a gap that may not be read is told", async () => {
  const refuse = async () => ({ ok: false, status: 403, headers: new Headers(), json: async () => ({ code: "FORBIDDEN", message: "no" }) });
  const { client, seqs, errors } = make({ fetch: refuse });
  for (let i = 0; i < 1_500; i++) world.say(1, "");
  await client.connect();
  await client.subscribeToChatRoom(1, { lastSeq: 0 });
  await settle();
  assert.deepEqual([seqs, errors], [[], ["FORBIDDEN"]]);
});
