// Runs stompjs against a plain broker: what the library itself counts on of one, behaviour by behaviour. Prints
// {"name": "" or what went wrong} for each. Orders on standard input: {"url":"ws://…/ws"}
import { text } from "node:stream/consumers";
import { Client, FrameImpl, Stomp, Versions } from "@stomp/stompjs";
import WebSocket from "ws";

globalThis.WebSocket = WebSocket;
console.log = console.error; // stompjs writes exceptions of handlers there, and standard output is the report
const { url } = JSON.parse(await text(process.stdin));
const patience = 20_000;
let number = 0;
const topic = () => `/topic/plain.${process.pid}.${++number}`;
const queue = () => `/queue/plain.${process.pid}.${++number}`;
const open = [];

/** Fails unless a condition holds. */
function must(condition, what) {
  if (!condition) throw new Error(what);
}

/** A client that is not active yet. */
function make(config = {}) {
  const client = new Client({
    brokerURL: url, connectHeaders: { login: "guest", passcode: "guest" }, reconnectDelay: 0, ...config,
  });
  open.push(client);
  return client;
}

/** Activates a client and resolves once it is connected. */
function connected(client) {
  return new Promise((resolve, reject) => {
    client.onConnect = resolve;
    client.onStompError = (frame) => reject(new Error(`ERROR ${frame.headers.message}: ${frame.body}`));
    client.activate();
  });
}

async function connect(config) {
  const client = make(config);
  await connected(client);
  return client;
}

/** Subscribes; take() resolves with the next message. */
function inbox(client, destination, headers = {}) {
  const got = [];
  const waiting = [];
  const subscription = client.subscribe(destination, (message) => {
    if (waiting.length > 0) waiting.shift()(message);
    else got.push(message);
  }, headers);
  const take = () => new Promise((resolve) => (got.length > 0 ? resolve(got.shift()) : waiting.push(resolve)));
  return { subscription, got, take };
}

/** Sends and resolves with the RECEIPT. */
function send(client, destination, body, headers = {}) {
  const receipt = `r-${++number}`;
  return new Promise((resolve) => {
    client.watchForReceipt(receipt, resolve);
    client.publish({ destination, body, headers: { ...headers, receipt } });
  });
}

/** A WebSocket that a test looks through: both ways may change or swallow what passes. */
class Glass {
  constructor(ways) {
    const socket = new WebSocket(url, ["v12.stomp"]);
    this.socket = socket;
    this.ways = ways;
    for (const event of ["onopen", "onclose", "onerror"]) socket[event] = (e) => this[event]?.(e);
    socket.onmessage = (e) => {
      const data = ways.incoming ? ways.incoming(e.data) : e.data;
      if (data !== undefined) this.onmessage?.({ data });
    };
  }
  get readyState() { return this.socket.readyState; }
  get url() { return url; }
  set binaryType(type) { this.socket.binaryType = type; }
  send(data) {
    const out = this.ways.outgoing ? this.ways.outgoing(data) : data;
    if (out !== undefined) this.socket.send(out);
  }
  close(code, reason) { this.socket.close(code, reason); }
  terminate() { this.socket.terminate(); }
}
const through = (ways) => ({ webSocketFactory: () => new Glass(ways) });
const lengthOf = (data) => data.length ?? data.byteLength;
const textOf = (data) => (typeof data === "string" ? data : Buffer.from(data).toString());
const closed = (client) => new Promise((resolve) => { client.onWebSocketClose = resolve; });
const large = 1023 * 1024;
const bytes = (n) => Uint8Array.from({ length: n }, (_, i) => (i * 7) % 256);

const behaviours = {
  "connects in every version": async () => {
    for (const version of [Versions.V1_0, Versions.V1_1, Versions.V1_2]) {
      const client = await connect({ stompVersions: new Versions([version]) });
      must(client.connectedVersion === version, `asked for ${version}, got ${client.connectedVersion}`);
    }
  },
  "connects on a socket that is open already": async () => {
    const socket = new WebSocket(url);
    await new Promise((resolve) => { socket.onopen = resolve; });
    await connect({ brokerURL: undefined, webSocketFactory: () => socket });
  },
  "connects the old API": () => new Promise((resolve) => {
    const client = Stomp.over(() => new WebSocket(url));
    client.debug = () => {};
    open.push(client);
    client.connect("guest", "guest", resolve);
  }),
  "any login is good with the passcode": () => connect({ connectHeaders: { login: "somebody", passcode: "guest" } }),
  "another passcode is refused by ERROR": () => refused({ login: "guest", passcode: "bad-passcode" }),
  "no passcode is refused by ERROR": () => refused({}),
  "deactivates and activates again": async () => {
    const client = await connect();
    await client.deactivate();
    must(!client.connected, "still connected");
    await connected(client);
    client.deactivate();
    client.activate();
    await connected(client);
  },
  "activates and deactivates without waiting": async () => {
    const client = make();
    for (let i = 0; i < 3; i++) {
      client.activate();
      client.deactivate();
      client.deactivate();
    }
    await connected(client);
    await Promise.all([client.deactivate(), client.deactivate()]);
    must(!client.active && !client.connected, "still active");
  },
  "deactivates before it is connected": async () => {
    const client = make();
    const opened = new Promise((resolve) => { client.onWebSocketClose = resolve; });
    client.onConnect = () => { throw new Error("connected"); };
    client.activate();
    await new Promise((resolve) => setTimeout(resolve, 1));
    await client.deactivate();
    await opened;
  },
  "the old API sends without content-length": () => new Promise((resolve, reject) => {
    const client = Stomp.client(url);
    const to = topic();
    client.debug = () => {};
    open.push(client);
    client.connect("guest", "guest", () => {
      client.subscribe(to, ({ body }) => (body === "Hello, world" ? resolve() : reject(new Error(body))));
      client.send(to, { "content-length": false }, "Hello, world");
    });
  }),
  "DISCONNECT is answered by a RECEIPT and a clean close": async () => {
    const client = await connect();
    const receipt = new Promise((resolve) => { client.onDisconnect = resolve; });
    const close = closed(client);
    await client.deactivate();
    must((await receipt).command === "RECEIPT", "no RECEIPT");
    const event = await close;
    must(event.wasClean && event.code === 1000, `closed with ${event.code}`);
  },
  "a cut socket may come back": async () => {
    const client = await connect({ reconnectDelay: 20 });
    const again = new Promise((resolve) => { client.onConnect = resolve; });
    client.forceDisconnect();
    await again;
  },
  "a discarded socket may come back": async () => {
    const client = await connect();
    const close = closed(client);
    await client.deactivate({ force: true });
    must([1006, 4001].includes((await close).code), "closed cleanly");
    await connected(client);
  },
  "a CONNECTED that got lost: the client tries again": () => {
    let eaten = false;
    return connect({
      connectionTimeout: 300, reconnectDelay: 10,
      ...through({ incoming: (data) => {
        if (eaten || !textOf(data).startsWith("CONNECTED")) return data;
        eaten = true;
      } }),
    });
  },
  "own messages come back": async () => {
    const client = await connect();
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, body: "hello" });
    const message = await take();
    must(message.body === "hello" && message.headers.destination === to, JSON.stringify(message.headers));
  },
  "text that is not ASCII": async () => {
    const client = await connect();
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, body: "Älä sinä 你好 السابق 🚲" });
    must((await take()).body === "Älä sinä 你好 السابق 🚲", "changed");
  },
  "binary and text bodies, in turn": async () => {
    const client = await connect();
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, binaryBody: bytes(1024), headers: { "content-type": "application/octet-stream" } });
    client.publish({ destination: to, body: '{"text":"hello"}', headers: { "content-type": "application/json" } });
    const first = await take();
    must(Buffer.from(first.binaryBody).equals(Buffer.from(bytes(1024))), "binary body changed");
    must(first.headers["content-type"] === "application/octet-stream", "content-type changed");
    const second = await take();
    must(JSON.parse(second.body).text === "hello" && second.headers["content-type"] === "application/json", "JSON changed");
  },
  "no content-type stays none": async () => {
    const client = await connect();
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, body: "x" });
    must((await take()).headers["content-type"] === undefined, "a content-type was made up");
  },
  "a body without content-length": async () => {
    const client = await connect();
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, body: "Hello, world", skipContentLengthHeader: true });
    must((await take()).body === "Hello, world", "changed");
  },
  "a body of one NUL": async () => {
    const client = await connect();
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, binaryBody: new Uint8Array([0]) });
    const { binaryBody } = await take();
    must(binaryBody.length === 1 && binaryBody[0] === 0, "changed");
  },
  "large text": async () => {
    const client = await connect();
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, body: "x".repeat(large) });
    must((await take()).body === "x".repeat(large), "changed");
  },
  "large binary": async () => {
    const client = await connect();
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, binaryBody: bytes(large) });
    must(Buffer.from((await take()).binaryBody).equals(Buffer.from(bytes(large))), "changed");
  },
  "large frames in parts": async () => {
    const client = await connect({ splitLargeFrames: true });
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, body: "Ä好".repeat(10_000) });
    must((await take()).body === "Ä好".repeat(10_000), "changed");
  },
  "frames as binary messages": async () => {
    const client = await connect({ forceBinaryWSFrames: true });
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, body: "hello" });
    must((await take()).body === "hello", "changed");
  },
  "a client that loses the last NUL": async () => {
    const client = await connect({
      appendMissingNULLonIncoming: true,
      ...through({ incoming: (data) => textOf(data).replace(/\0.*/, "") }),
    });
    const to = topic();
    const { take } = inbox(client, to);
    client.publish({ destination: to, body: "hello" });
    must((await take()).body === "hello", "changed");
  },
  "headers with every special character": async () => {
    const client = await connect();
    const to = topic();
    const own = "f:o:o\nbar\rbaz\\foo\nbar\rbaz\\";
    const { take } = inbox(client, to);
    client.publish({ destination: to, headers: { own }, body: "x" });
    must((await take()).headers.own === own, "changed");
  },
  "headers reach clients of older versions as these can read them": async () => {
    const client = await connect();
    const to = topic();
    const own = "a:b\nc\rd\\e";
    const boxes = [];
    // In 1.1 stompjs leaves the escapes to its caller.
    for (const [version, want] of [[Versions.V1_0, "a:bcd\\e"], [Versions.V1_1, "a\\cb\\ncd\\\\e"]]) {
      const older = await connect({ stompVersions: new Versions([version]) });
      const live = new Promise((resolve) => older.watchForReceipt("live", resolve));
      boxes.push({ version, want, live, box: inbox(older, to, { receipt: "live" }) });
    }
    await Promise.all(boxes.map(({ live }) => live));
    client.publish({ destination: to, headers: { own }, body: "x" });
    for (const { version, want, box } of boxes) {
      const got = (await box.take()).headers.own;
      must(got === want, `${version}: ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
    }
  },
  "an exception in a handler ends nothing": async () => {
    const client = await connect();
    const to = topic();
    let seen = 0;
    const two = new Promise((resolve) => client.subscribe(to, () => {
      if (++seen === 2) resolve();
      throw new Error("special");
    }));
    client.publish({ destination: to, body: "1" });
    client.publish({ destination: to, body: "2" });
    await two;
  },
  "nothing comes after unsubscribe": async () => {
    const client = await connect();
    const to = topic();
    const first = inbox(client, to);
    const second = inbox(client, to);
    first.subscription.unsubscribe();
    client.publish({ destination: to, body: "x" });
    await second.take();
    must(first.got.length === 0, "something came");
  },
  "receipts of SUBSCRIBE and SEND": async () => {
    const client = await connect();
    const to = topic();
    const live = new Promise((resolve) => client.watchForReceipt("live", resolve));
    const { take } = inbox(client, to, { receipt: "live" });
    await live;
    await send(await connect(), to, "x");
    must((await take()).body === "x", "missed");
  },
  "a transaction that is aborted": async () => {
    const client = await connect();
    const to = topic();
    const { take } = inbox(client, to);
    const tx = client.begin("own-name");
    client.publish({ destination: to, headers: { transaction: tx.id }, body: "in" });
    client.publish({ destination: to, body: "outside" });
    tx.abort();
    client.publish({ destination: to, body: "after" });
    must((await take()).body === "outside" && (await take()).body === "after", "what was aborted came");
  },
  "a transaction that is committed": async () => {
    const client = await connect();
    const to = topic();
    const { take } = inbox(client, to);
    const tx = client.begin();
    client.publish({ destination: to, headers: { transaction: tx.id }, body: "1" });
    client.publish({ destination: to, headers: { transaction: tx.id }, body: "2" });
    client.publish({ destination: to, body: "before" });
    tx.commit();
    const got = [(await take()).body, (await take()).body, (await take()).body];
    must(got.join() === "before,1,2", got.join());
  },
  "an ACK that is aborted, a NACK that is committed": async () => {
    const [client, other] = [await connect(), await connect()];
    const to = queue();
    const first = inbox(client, to, { ack: "client-individual" });
    await send(client, to, "x");
    const message = await first.take();
    const tx = client.begin();
    message.ack({ transaction: tx.id });
    tx.abort();
    const second = client.begin();
    message.nack({ transaction: second.id });
    must(first.got.length === 0, "the NACK counted before its COMMIT");
    first.subscription.unsubscribe();
    second.commit();
    const again = await inbox(other, to).take();
    must(again.body === "x" && again.headers.redelivered === "true", JSON.stringify(again.headers));
  },
  "a queue has one taker for each message": async () => {
    const [one, two] = [await connect(), await connect()];
    const to = queue();
    const boxes = [inbox(one, to), inbox(two, to)];
    await send(two, "/topic/barrier", "");
    await send(one, "/topic/barrier", "");
    for (const body of ["1", "2", "3", "4"]) await send(one, to, body);
    const got = [await boxes[0].take(), await boxes[1].take(), await boxes[0].take(), await boxes[1].take()];
    must(got.map(({ body }) => body).sort().join() === "1,2,3,4", got.map(({ body }) => body).join());
    must(boxes.every((box) => box.got.length === 0), "more than once");
  },
  "a queue keeps what nobody takes": async () => {
    const to = queue();
    await send(await connect(), to, "kept");
    must((await inbox(await connect(), to).take()).body === "kept", "lost");
  },
  "after NACK somebody gets it again, after ACK nobody": async () => {
    const clients = [await connect(), await connect()];
    const to = queue();
    const order = [];
    const done = new Promise((resolve) => {
      for (const client of clients) {
        client.subscribe(to, (message) => {
          order.push(message.headers.redelivered === "true");
          if (order.length < 3) return message.nack();
          message.ack();
          return resolve();
        }, { ack: "client" });
      }
    });
    clients[0].publish({ destination: to, body: "x" });
    await done;
    must(order.join() === "false,true,true", `redelivered: ${order.join()}`);
    await Promise.all(clients.map((client) => client.deactivate()));
    const last = await connect();
    const { got, take } = inbox(last, to);
    await send(last, to, "next");
    must((await take()).body === "next" && got.length === 0, "it came again after its ACK");
  },
  "what was not acknowledged when a connection drops": async () => {
    for (const leave of [(c) => c.deactivate(), (c) => c.deactivate({ force: true })]) {
      const client = await connect();
      const to = queue();
      const { take } = inbox(client, to, { ack: "client" });
      client.publish({ destination: to, body: "x" });
      await take();
      await leave(client);
      must((await inbox(await connect(), to).take()).body === "x", "lost");
    }
  },
  "ACK in mode client is for all before it, too": async () => {
    for (const version of [Versions.V1_0, Versions.V1_1, Versions.V1_2]) {
      const client = await connect({ stompVersions: new Versions([version]) });
      const to = queue();
      const { take } = inbox(client, to, { ack: "client" });
      for (const body of ["1", "2", "3"]) client.publish({ destination: to, body });
      await take();
      (await take()).ack();
      await take();
      await client.deactivate();
      const { take: rest } = inbox(await connect(), to);
      must((await rest()).body === "3", `version ${version}: not the third`);
    }
  },
  "ACK in mode client-individual is for one": async () => {
    for (const version of [Versions.V1_1, Versions.V1_2]) {
      const client = await connect({ stompVersions: new Versions([version]) });
      const to = queue();
      const { take } = inbox(client, to, { ack: "client-individual" });
      for (const body of ["1", "2", "3"]) client.publish({ destination: to, body });
      await take();
      (await take()).ack();
      await take();
      await client.deactivate();
      const { take: rest } = inbox(await connect(), to);
      must((await rest()).body === "1" && (await rest()).body === "3", `version ${version}: not the first and third`);
    }
  },
  "heart-beats of a second arrive": async () => {
    const client = make({ heartbeatIncoming: 1000, heartbeatOutgoing: 0 });
    const beats = new Promise((resolve) => {
      let n = 0;
      client.onHeartbeatReceived = () => { if (++n === 2) resolve(); };
    });
    await connected(client);
    await beats;
  },
  "no beat is half an interval late": async () => {
    const client = make({ heartbeatIncoming: 1000, heartbeatOutgoing: 0, heartbeatToleranceMultiplier: 1.5 });
    const beats = new Promise((resolve, reject) => {
      let n = 0;
      client.onHeartbeatReceived = () => { if (++n === 4) resolve(); };
      client.onHeartbeatLost = () => reject(new Error("a beat was late"));
    });
    await connected(client);
    await beats;
  },
  "beats that get lost on the way in end the connection": async () => {
    const client = make({
      heartbeatIncoming: 1000, heartbeatOutgoing: 0,
      ...through({ incoming: (data) => (lengthOf(data) === 1 ? undefined : data) }),
    });
    const close = closed(client);
    await connected(client);
    await close;
  },
  "beats that get lost on the way out end the connection": async () => {
    const client = make({
      heartbeatIncoming: 0, heartbeatOutgoing: 1000,
      ...through({ outgoing: (data) => (lengthOf(data) === 1 ? undefined : data) }),
    });
    const close = closed(client);
    await connected(client).catch(() => {});
    await close;
  },
  "a CONNECTED without heart-beat": () => connect(through({
    incoming: (data) => {
      if (!textOf(data).startsWith("CONNECTED")) return data;
      return textOf(data).replace(/heart-beat:.*\n/, "");
    },
  })),
};

function refused(connectHeaders) {
  return new Promise((resolve, reject) => {
    const client = make({ connectHeaders });
    client.onConnect = () => reject(new Error("connected"));
    client.onStompError = (frame) => {
      must(frame instanceof FrameImpl && typeof frame.body === "string" && frame.headers.message, "no message");
      client.onWebSocketClose = () => resolve();
    };
    client.activate();
  });
}

const report = {};
for (const [name, behaviour] of Object.entries(behaviours)) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${patience} ms`)), patience);
  });
  try {
    await Promise.race([behaviour(), late]);
    report[name] = "";
  } catch (e) {
    report[name] = e.message;
  }
  clearTimeout(timer);
  for (const client of open.splice(0)) client.deactivate({ force: true });
}
process.stdout.write(JSON.stringify(report), () => process.exit(0));
