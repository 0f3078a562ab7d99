// Two people chat across two gateways with a stock STOMP library, a third who is no member is refused.
// Reads its orders as JSON from standard input and prints what it saw as JSON; the Go test judges.
//
// A library is stompjs, webstomp, or "sockjs xhr-polling" and the like: stompjs over that transport.
//
//   {"library":"stompjs","room":"42","messages":10,
//    "alice":{"url":"ws://…/ws","token":"…","how":"query"},"bob":{…},"outsider":{…}}
import { text } from "node:stream/consumers";
import { libraries } from "./clients.mjs";

const orders = JSON.parse(await text(process.stdin));
const connect = libraries[orders.library];
const topic = `/topic/chat/${orders.room}`;

/** Resolves once the condition holds; it is looked at whenever something arrives. */
function waiter() {
  let check = () => {};
  return {
    changed: () => check(),
    until: (condition) =>
      new Promise((resolve) => {
        check = () => condition() && resolve();
        check();
      }),
  };
}

/** Joins the room and keeps every event with its headers. */
async function join(login) {
  const client = await connect(login);
  const events = [];
  const waiting = waiter();
  await client.subscribe(topic, (frame) => {
    events.push({ headers: { ...frame.headers }, body: frame.body });
    waiting.changed();
  });
  const messages = () => events.filter((event) => event.headers.event === "MESSAGE");
  return { client, messages, until: waiting.until };
}

/** Sends one message and resolves with its RECEIPT's headers: it is stored. */
function say(person, content) {
  const body = JSON.stringify({ type: "TEXT", content, clientMessageId: crypto.randomUUID() });
  return new Promise((stored) => {
    person.client.send(`/app/chat/${orders.room}/send`, body, (frame) => stored({ ...frame.headers, content }));
  });
}

/** Tries to get in without being a member and resolves with the error events. */
async function refuse(login) {
  const client = await connect(login);
  const errors = [];
  const waiting = waiter();
  await client.subscribe("/user/queue/errors", (frame) => {
    errors.push(JSON.parse(frame.body));
    waiting.changed();
  });
  let leaked = 0;
  client.subscribe(topic, () => leaked++); // its receipt never comes
  client.send(`/app/chat/${orders.room}/send`, JSON.stringify({ type: "TEXT", content: "let me in" }));
  await waiting.until(() => errors.length === 2);
  await client.close();
  return { errors, leaked };
}

const alice = await join(orders.alice);
const bob = await join(orders.bob);
const receipts = [];
for (let i = 0; i < orders.messages; i++) {
  receipts.push(await say(i % 2 ? bob : alice, `第 ${i} 条: "quoted"\n\\n and a line\u2028 🚲`));
}
await alice.until(() => alice.messages().length >= orders.messages);
await bob.until(() => bob.messages().length >= orders.messages);
const outsider = await refuse(orders.outsider);
const saw = {
  version: alice.client.version,
  transport: bob.client.transport, // of SockJS
  users: [alice.client.user, bob.client.user],
  receipts,
  alice: alice.messages(),
  bob: bob.messages(),
  outsider,
};
await alice.client.close();
await bob.client.close();
process.stdout.write(JSON.stringify(saw), () => process.exit(0));
