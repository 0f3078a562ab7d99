// Sends one large message with each way that stompjs has of putting frames into WebSocket messages, in each version,
// and prints the contents as they come back. Orders on standard input: {"url":"ws://…/ws?token=…","room":"42","content":"…"}
import { text } from "node:stream/consumers";
import { Client, Versions } from "@stomp/stompjs";
import WebSocket from "ws";

const orders = JSON.parse(await text(process.stdin));
const ways = {
  whole: {},
  split: { splitLargeFrames: true, maxWebSocketChunkSize: 1000 },
  binary: { forceBinaryWSFrames: true },
};

/** Sends the content and resolves with what comes back and the RECEIPT's seq. */
function roundTrip(way, version) {
  return new Promise((resolve, reject) => {
    const client = new Client({
      ...ways[way],
      stompVersions: new Versions([version]),
      webSocketFactory: () => new WebSocket(orders.url, [`v${version.replace(".", "")}.stomp`]),
      reconnectDelay: 0,
      onStompError: (frame) => reject(new Error(`ERROR frame: ${frame.headers.message} ${frame.body}`)),
      onWebSocketError: (event) => reject(new Error(`WebSocket: ${event.message}`)),
      onConnect: (connected) => {
        const got = { way, version: connected.headers.version };
        const done = async () => {
          if (got.content === undefined || got.seq === undefined) return;
          await client.deactivate();
          resolve(got);
        };
        client.subscribe(`/topic/chat/${orders.room}`, (frame) => {
          if (frame.headers.event !== "MESSAGE") return;
          got.content = JSON.parse(frame.body).content;
          done();
        });
        client.watchForReceipt("sent", (frame) => {
          got.seq = frame.headers.seq;
          done();
        });
        client.publish({
          destination: `/app/chat/${orders.room}/send`,
          body: orders.content,
          headers: { "content-type": "text/plain", receipt: "sent", "x-escaped": "a:b\\c" },
        });
      },
    });
    client.activate();
  });
}

const seen = [];
for (const version of [Versions.V1_0, Versions.V1_1, Versions.V1_2]) {
  for (const way of Object.keys(ways)) seen.push(await roundTrip(way, version));
}
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
