// The STOMP side: one connection, one room. It knows no page; what happens is told through callbacks.

import { Client } from "@stomp/stompjs";

const QUEUES = ["/user/queue/errors", "/user/queue/messages"];

export class Chat {
  #client;
  #on;
  #room;
  #lastSeq = 0;
  #waiting = new Map(); // clientMessageId to true, while the server has not said that it is stored

  // callbacks: state(word, text), event(body), stored({clientMessageId, messageId, seq}), failure(text, clientMessageId),
  // frame(direction, text), ready() once the room is live.
  constructor({ server, token, room, lastSeq, callbacks }) {
    this.#on = callbacks;
    this.#room = room;
    this.#lastSeq = lastSeq;
    const url = new URL("/ws", server);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.#client = new Client({
      connectHeaders: { Authorization: `Bearer ${token}` },
      webSocketFactory: () => this.#open(url.href),
      heartbeatIncoming: 10_000,
      heartbeatOutgoing: 10_000,
      reconnectDelay: 1_000,
      connectionTimeout: 10_000,
      onConnect: (frame) => this.#connected(frame),
      onStompError: (frame) => this.#refused(frame),
      onWebSocketClose: (event) => this.#closed(event),
    });
  }

  start() {
    this.#on.state("wait", "connecting…");
    this.#client.activate();
  }

  async stop() {
    await this.#client.deactivate();
    this.#on.state("off", "not connected");
  }

  // send returns the clientMessageId under which the message will come back.
  send(content) {
    const clientMessageId = newId();
    const receipt = `send-${clientMessageId}`;
    this.#waiting.set(clientMessageId, true);
    this.#client.watchForReceipt(receipt, (frame) => {
      this.#waiting.delete(clientMessageId);
      this.#on.stored({ clientMessageId, messageId: frame.headers["message-id"], seq: Number(frame.headers.seq) });
    });
    this.#publish("send", { type: "TEXT", content, clientMessageId }, { receipt });
    return clientMessageId;
  }

  read(seq) {
    if (this.#client.connected) this.#publish("read", { seq });
  }

  typing() {
    if (this.#client.connected) this.#publish("typing", {});
  }

  #publish(verb, body, headers = {}) {
    this.#client.publish({
      destination: `/app/chat/${this.#room}/${verb}`,
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", ...headers },
    });
  }

  // Every frame that goes over the socket is logged from the socket itself, so that the log is the truth.
  #open(url) {
    const socket = new WebSocket(url, ["v12.stomp", "v11.stomp", "v10.stomp"]);
    socket.binaryType = "arraybuffer";
    const text = (data) => (typeof data === "string" ? data : new TextDecoder().decode(data));
    socket.addEventListener("message", (event) => this.#on.frame("in", text(event.data)));
    const send = socket.send.bind(socket);
    socket.send = (data) => {
      this.#on.frame("out", text(data));
      send(data);
    };
    return socket;
  }

  #connected(frame) {
    const user = frame.headers["user-name"];
    this.#on.state("on", `connected as ${user}`, user);
    for (const queue of QUEUES) this.#client.subscribe(queue, (message) => this.#received(message));
    if (!this.#room) return;
    const receipt = `subscribe-${newId()}`;
    this.#client.watchForReceipt(receipt, () => this.#on.ready());
    const headers = { id: "room", receipt, "last-seq": String(this.#lastSeq) };
    this.#client.subscribe(`/topic/chat/${this.#room}`, (message) => this.#received(message), headers);
  }

  #received(message) {
    let body;
    try {
      body = JSON.parse(message.body);
    } catch {
      this.#on.failure("The server sent an event that is no JSON; the frame log shows it.");
      return;
    }
    if (body.event === "ERROR") {
      this.#waiting.delete(body.clientMessageId);
      this.#on.failure(`${body.message} (${body.code})`, body.clientMessageId);
      return;
    }
    if (body.seq && body.chatRoomId === this.#room) this.#lastSeq = Math.max(this.#lastSeq, body.seq);
    this.#on.event(body);
  }

  // An ERROR frame ends the connection. A token or a room that was refused will be refused again: no new attempt.
  #refused(frame) {
    this.#on.failure(frame.body || frame.headers.message || "The server refused and gave no reason.");
    if (!/UNAVAILABLE|SLOW_CONSUMER/.test(frame.headers.message + frame.body)) {
      this.#client.deactivate();
    }
  }

  #closed(event) {
    for (const id of this.#waiting.keys()) {
      this.#on.failure("The connection ended before the server said that this was stored.", id);
    }
    this.#waiting.clear();
    const why = event.reason || (event.code === 1006 ? "no connection" : `code ${event.code}`);
    if (this.#client.active) this.#on.state("wait", `connection lost (${why}); trying again…`);
    else this.#on.state("off", event.code === 1000 ? "not connected" : `closed by the server: ${why}`);
  }
}

// newId needs no secure context, unlike crypto.randomUUID.
function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
