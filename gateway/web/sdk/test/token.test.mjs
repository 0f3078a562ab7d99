// Tokens: renewed in place, replaced when they are refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf, eachInItsWorld, make, world } from "./rig.mjs";
import { jwt, pass } from "./world.mjs";

eachInItsWorld();

test("a token is renewed in place before it ends", async () => {
  let asked = 0;
  const { client } = make({ jwtToken: async () => jwt(Date.now() + 120_000, `n${++asked}`) });
  const renewed = [];
  client.on("tokenRenewed", ({ expiresAt }) => renewed.push(expiresAt.toISOString()));
  await client.connect();
  await pass(85_000, 1_000);
  assert.equal(asked, 1);
  await pass(10_000, 1_000);
  assert.equal(asked, 2);
  const [sent] = world.sent("SEND", "/app/user/token");
  assert.match(atob(JSON.parse(sent.body).token.split(".")[1]), /n2/);
  assert.deepEqual(renewed, ["2026-11-23T08:03:30.000Z"]);
  assert.equal(world.opened.length, 1);
});

test("a renewal that fails is tried again", async () => {
  let asked = 0;
  const token = async () => {
    if (++asked === 2) throw new Error("login is away");
    return jwt(Date.now() + 120_000);
  };
  const { client, errors } = make({ jwtToken: token });
  await client.connect();
  await pass(100_000, 1_000);
  assert.equal(world.sent("SEND", "/app/user/token").length, 1);
  assert.deepEqual(errors, ["UNAVAILABLE"]);
});

test("a token that is refused is replaced, three times at most; a string is the end at once", async () => {
  let asked = 0;
  world.intercept = (socket, got) => {
    if (got.command !== "CONNECT" || got.headers.Authorization === "Bearer good") return false;
    world.fail(socket, got, "TOKEN_EXPIRED");
    return true;
  };
  const { client } = make({ jwtToken: () => (++asked > 2 ? "good" : "bad") });
  const connecting = client.connect();
  await pass(3_000);
  await connecting;
  assert.equal(asked, 3);
  const { client: other, states } = make({ jwtToken: () => "bad" });
  const failed = codeOf(other.connect());
  await pass(20_000);
  assert.equal(await failed, "TOKEN_EXPIRED");
  assert.equal(states.filter((state) => state === "reconnecting").length, 2);
  const { client: third, errors } = make({ jwtToken: "bad" });
  assert.equal(await codeOf(third.connect()), "TOKEN_EXPIRED");
  assert.deepEqual([third.state, errors], ["disconnected", ["TOKEN_EXPIRED"]]);
});

test("a session that ends with its token goes on under a new one", async () => {
  let asked = 0;
  const { client, seqs } = make({ jwtToken: () => jwt(Date.now() + 3_600_000, `t${++asked}`) });
  await client.connect();
  await client.subscribeToChatRoom(1);
  world.fail(world.socket, undefined, "TOKEN_EXPIRED");
  world.say(1, "missed");
  await pass(1_000);
  assert.match(atob(world.sent("CONNECT").at(-1).headers.Authorization.split(".")[1]), /"t2"/);
  assert.deepEqual(seqs, [1]);
});

test("a token is used again while it is good for a while", async () => {
  let asked = 0;
  const { client } = make({ jwtToken: () => (asked++, jwt(Date.now() + 3_600_000)) });
  await client.connect();
  client.reconnect();
  await pass(1_000);
  assert.equal(asked, 1);
  const { client: other } = make({ jwtToken: () => (asked++, jwt(Date.now() + 50_000)) });
  await other.connect();
  other.reconnect();
  await pass(1_000);
  assert.equal(asked, 3);
});

test("updateToken replaces the token of an open connection", async () => {
  const { client } = make({ jwtToken: "old" });
  await client.connect();
  await client.updateToken("new");
  assert.deepEqual(world.sent("SEND").map((got) => got.body), ['{"token":"new"}']);
  client.reconnect();
  await pass(1_000);
  assert.equal(world.sent("CONNECT").at(-1).headers.Authorization, "Bearer new");
});
