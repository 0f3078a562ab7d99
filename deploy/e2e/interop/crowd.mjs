// Members of one room chat by sockjs-client with polling and nothing else, each saying a line now and then, until told
// otherwise. Keeps account of every line and member; the Go test judges. Reads lines from standard input, the first of
// them the orders, and answers each later one with one line of JSON:
//
//   {"url":"http://…/ws","room":"42","members":[{"user":"alice","token":"…"},…],"every":1000,"reconnect":500,"patience":30000}
//   start     everybody is in and has begun to talk
//   pause     nobody talks any more, and everybody has everything; the account so far
//   resume    everybody talks again
//   kill      a gateway is about to be killed: from now on the time is taken of members who have to come back
import { createInterface } from "node:readline";
import { Client } from "@stomp/stompjs";
import SockJS from "sockjs-client";

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const orders = JSON.parse((await input.next()).value);
const topic = `/topic/chat/${orders.room}`;

let talking = false;
let head = 0; // the highest seq that was acknowledged
let killedAt;
let check = () => {};

/** Resolves once the condition holds; it is looked at whenever something happens. */
const until = (condition) =>
  Promise.race([
    new Promise((resolve) => {
      check = () => condition() && resolve();
      check();
    }),
    new Promise((resolve) => setTimeout(resolve, orders.patience)),
  ]);

class Member {
  sessions = 0; // SockJS sessions opened
  received = 0;
  doubled = 0;
  holes = 0;
  changed = 0; // lines that came as something else than was stored
  said = 0;
  acked = 0;
  unacked = new Map(); // lines by clientMessageId
  live = false;
  last; // seq

  constructor({ user, token }) {
    this.user = user;
    this.client = new Client({
      reconnectDelay: orders.reconnect,
      heartbeatIncoming: 10_000,
      heartbeatOutgoing: 10_000,
      webSocketFactory: () => {
        this.sessions++;
        return new SockJS(`${orders.url}?token=${token}`, null, { transports: ["xhr-polling"], timeout: 20_000 });
      },
      onConnect: () => this.join(),
      onWebSocketClose: () => this.left(),
      onStompError: (frame) => console.error(`${user}: ERROR ${frame.headers.message}`),
    });
    this.client.activate();
  }

  join() {
    const receipt = `join-${this.sessions}`;
    this.client.watchForReceipt(receipt, (frame) => {
      this.first ??= this.last ??= Number(frame.headers.seq);
      this.live = true;
      for (const id of this.unacked.keys()) this.send(id); // again: the same id is stored once
      this.look();
    });
    const resume = this.last === undefined ? {} : { "last-seq": String(this.last) };
    this.client.subscribe(topic, (frame) => this.hear(JSON.parse(frame.body)), { receipt, ...resume });
  }

  left() {
    this.live = false;
    if (killedAt) this.awaited = true;
  }

  hear({ event, seq, clientMessageId, content }) {
    if (event === "GAP") this.holes++;
    if (event !== "MESSAGE") return;
    if (seq <= this.last) {
      this.doubled++;
      return;
    }
    if (seq !== this.last + 1) this.holes++;
    if (content !== `line ${clientMessageId} 你好`) this.changed++;
    this.last = seq;
    this.received++;
    this.look();
  }

  say() {
    const id = `${this.user}-${++this.said}`;
    this.unacked.set(id, `line ${id} 你好`);
    if (this.live) this.send(id);
  }

  send(id) {
    const body = JSON.stringify({ type: "TEXT", content: this.unacked.get(id), clientMessageId: id });
    this.client.watchForReceipt(id, ({ headers: { seq } }) => {
      if (this.unacked.delete(id)) this.acked++;
      head = Math.max(head, Number(seq));
      check();
    });
    this.client.publish({ destination: `/app/chat/${orders.room}/send`, body, headers: { receipt: id } });
  }

  get complete() {
    return this.live && this.last >= head;
  }

  /** Notes when one who had to come back is back and has everything. */
  look() {
    if (this.awaited && this.complete) this.backAfter ??= Date.now() - killedAt;
    check();
  }
}

const members = orders.members.map((member) => new Member(member));
const sum = (of) => members.reduce((total, member) => total + of(member), 0);
const account = () => ({
  said: sum((m) => m.said),
  acknowledged: sum((m) => m.acked),
  received: sum((m) => m.received),
  lost: sum((m) => Math.max(0, head - m.first - m.received) + m.holes),
  doubled: sum((m) => m.doubled),
  changed: sum((m) => m.changed),
  restarts: sum((m) => m.sessions - 1),
  incomplete: members.filter((m) => !m.complete).map((m) => m.user),
  back: members.filter((m) => m.awaited).map((m) => m.backAfter ?? -1),
});

for (const [i, member] of members.entries()) {
  // Everybody in turn, so that lines are spread over the time.
  setTimeout(() => setInterval(() => talking && member.say(), orders.every), (i * orders.every) / members.length);
}
const commands = {
  async start() {
    await until(() => members.every((m) => m.live));
    talking = true;
  },
  async pause() {
    talking = false;
    await until(() => members.every((m) => m.unacked.size === 0) && members.every((m) => m.complete));
  },
  resume() {
    talking = true;
  },
  kill() {
    killedAt = Date.now();
  },
};
for await (const command of input) {
  await commands[command]();
  process.stdout.write(`${JSON.stringify(account())}\n`);
}
process.exit(0);
