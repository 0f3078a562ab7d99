// A chat system in memory for the tests: servers that speak STOMP over fake WebSockets and share rooms, and a fake
// fetch for histories. It keeps the contract as the gateway does; a test breaks it where it wants to.
import { mock } from "node:test";

/** Fake time for timers and dates. Call it first; the test runner takes it off. */
export function fakeTime() {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: Date.parse("2026-11-23T08:00:00Z") });
}

/** Stops all clients, so that no timer of theirs is left, and gives the time back. */
export async function endTime(clients) {
  const done = Promise.all(clients.map((client) => client.disconnect()));
  await pass(5_000, 2_500);
  await done;
  mock.timers.reset();
  mock.restoreAll();
}

/** Lets everything happen that needs no time. */
export async function settle() {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets time pass, in steps, with everything that happens meanwhile. */
export async function pass(ms, step = 250) {
  await settle();
  for (let left = ms; left > 0; left -= step) {
    mock.timers.tick(Math.min(step, left));
    await settle();
  }
}

export function frame(command, headers, body = "") {
  const lines = Object.entries(headers).map(([key, value]) => `${key}:${value}\n`);
  return `${command}\n${lines.join("")}\n${body}\0`;
}

export function parse(text) {
  const [head, ...rest] = text.replace(/\0$/, "").split("\n\n");
  const [command, ...lines] = head.split("\n");
  const headers = {};
  for (const line of lines) headers[line.slice(0, line.indexOf(":"))] ??= line.slice(line.indexOf(":") + 1);
  return { command, headers, body: rest.join("\n\n") };
}

/** One side of a connection looks like a WebSocket, the other is for the server. */
class FakeSocket {
  readyState = 0;
  onopen = null;
  onclose = null;
  onerror = null;
  onmessage = null;
  sent = []; // frames, by the client
  subscriptions = new Map(); // destination to id

  constructor(world, url) {
    this.world = world;
    this.url = url;
  }

  send(data) {
    if (this.readyState !== 1) throw new Error("InvalidStateError");
    if (data === "\n") return;
    const got = parse(data);
    this.sent.push(got);
    queueMicrotask(() => this.readyState === 1 && this.world.receive(this, got));
  }

  close() {
    this.end(1000);
  }

  /** From the server: a frame. */
  push(command, headers, body) {
    if (this.readyState === 1) this.onmessage?.({ data: frame(command, headers, body) });
  }

  /** The connection ends, by whomever. */
  end(code, reason = "") {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.world.sockets.delete(this);
    queueMicrotask(() => this.onclose?.({ code, reason }));
  }

  event(destination, body) {
    const subscription = this.subscriptions.get(destination);
    if (subscription === undefined) return;
    const headers = { destination, subscription, "message-id": "x", ack: `a-${body.seq ?? ""}`, event: body.event };
    if (body.seq) headers.seq = body.seq;
    this.push("MESSAGE", headers, JSON.stringify(body));
  }
}

const ERRORS = "/user/queue/errors";

export class World {
  sockets = new Set();
  opened = []; // every socket there was
  down = new Set(); // urls that refuse connections
  logs = new Map(); // destination to its events
  names = new Map(); // clientMessageId to its event
  forbidden = new Set(); // destinations
  hidden = new Set(); // seqs that this user may not see, of any room
  replayCap = 1000;
  pages = []; // the URLs that were fetched
  user = "alice";

  webSocketFactory = (url) => {
    const socket = new FakeSocket(this, url);
    this.opened.push(socket);
    setImmediate(() => {
      if (this.down.has(url)) return socket.end(1006);
      socket.readyState = 1;
      this.sockets.add(socket);
      socket.onopen?.();
    });
    return socket;
  };

  fetch = async (url, init) => {
    this.pages.push({ url, ...init });
    const { pathname, searchParams } = new URL(url);
    const room = /chat-rooms\/(\d+)\/messages/.exec(pathname)?.[1];
    const log = this.log(room ? `/topic/chat/${room}` : "/user/queue/messages");
    const after = Number(searchParams.get("afterSeq"));
    const events = log.filter((event) => event.seq > after && !this.hidden.has(event.seq)).slice(0, Number(searchParams.get("limit")));
    return { ok: true, status: 200, headers: new Headers(), json: async () => structuredClone({ events }) };
  };

  /** The newest socket that is open. */
  get socket() {
    return Array.from(this.sockets).at(-1);
  }

  log(destination) {
    if (!this.logs.has(destination)) this.logs.set(destination, []);
    return this.logs.get(destination);
  }

  /** Stores an event in a room and tells all who follow it. */
  say(room, content, more = {}) {
    const destination = `/topic/chat/${room}`;
    const seq = this.log(destination).length + 1;
    const event = {
      event: "MESSAGE", chatRoomId: String(room), seq, messageId: `${room}-${seq}`, senderId: "bob", type: "TEXT",
      content, sentAt: "2026-11-23T08:00:00.000Z", ...more,
    };
    this.log(destination).push(event);
    for (const socket of this.sockets) socket.event(destination, event);
    return event;
  }

  /** Frames of one kind that the client has sent, over all connections. */
  sent(command, destination) {
    return this.opened.flatMap((socket) =>
      socket.sent.filter((got) => got.command === command && (!destination || got.headers.destination === destination)),
    );
  }

  /** What a test puts in the way: returns true when it has dealt with the frame. */
  intercept = () => false;

  refuse(socket, got, code, retryAfterMs = 0) {
    const { receipt, destination } = got.headers;
    socket.event(ERRORS, { event: "ERROR", code, message: `refused: ${code}`, destination, receiptId: receipt, retryAfterMs });
  }

  fail(socket, got, code, message = "told so") {
    const headers = { message: code, code };
    if (got?.headers.receipt) headers["receipt-id"] = got.headers.receipt;
    socket.push("ERROR", headers, message);
    socket.end(1008, code);
  }

  receive(socket, got) {
    if (this.intercept(socket, got)) return;
    const { receipt, destination, id } = got.headers;
    const answer = (more = {}) => receipt && socket.push("RECEIPT", { "receipt-id": receipt, ...more });
    switch (got.command) {
      case "CONNECT":
        return socket.push("CONNECTED", {
          version: "1.2", "heart-beat": "10000,10000", server: `node of ${new URL(socket.url).host}`, "user-name": this.user,
        });
      case "SUBSCRIBE":
        if (this.forbidden.has(destination)) return this.refuse(socket, got, "FORBIDDEN");
        socket.subscriptions.set(destination, id);
        return this.replay(socket, got, answer);
      case "UNSUBSCRIBE":
        for (const [where, name] of socket.subscriptions) if (name === id) socket.subscriptions.delete(where);
        return answer();
      case "SEND":
        return this.take(got, answer);
      case "DISCONNECT":
        return answer();
    }
  }

  replay(socket, got, answer) {
    const { destination, "last-seq": last } = got.headers;
    if (destination === ERRORS) return answer();
    const log = this.log(destination);
    if (last !== undefined) {
      const missed = log.filter((event) => event.seq > Number(last) && !this.hidden.has(event.seq));
      const from = Math.max(0, missed.length - this.replayCap);
      if (from > 0) {
        const chatRoomId = /^\/topic\/chat\/(\d+)$/.exec(destination)?.[1];
        socket.event(destination, { event: "GAP", chatRoomId, fromSeq: missed[0].seq, toSeq: missed[from - 1].seq });
      }
      for (const event of missed.slice(from)) socket.event(destination, event);
    }
    answer({ seq: log.length });
  }

  take(got, answer) {
    const [, room, verb] = /^\/app\/chat\/(\d+)\/(\w+)$/.exec(got.headers.destination) ?? [];
    if (verb !== "send" && verb !== "edit" && verb !== "recall") return answer();
    const body = JSON.parse(got.body);
    const name = `${room} ${body.clientMessageId}`;
    const known = body.clientMessageId && this.names.get(name);
    const kinds = { send: {}, edit: { event: "EDITED", targetSeq: body.seq }, recall: { event: "RECALLED", targetSeq: body.seq } };
    const { seq: _, ...rest } = body;
    const event = known || this.say(room, body.content, { ...rest, senderId: this.user, ...kinds[verb] });
    if (body.clientMessageId) this.names.set(name, event);
    answer({ "message-id": event.messageId, seq: event.seq, duplicate: known ? "true" : "false" });
  }
}

/** A JWT that ends at a time, with no signature worth the name. */
export function jwt(expiresMs, name = "") {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part({ sub: "alice", name, exp: expiresMs / 1000 })}.sig`;
}
