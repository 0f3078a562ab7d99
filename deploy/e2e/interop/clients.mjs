// The two STOMP libraries behind one small surface, each used as its own documentation shows.
import { Client } from "@stomp/stompjs";
import SockJS from "sockjs-client";
import webstomp from "webstomp-client";
import WebSocket from "ws";

/** How a client presents its token: in the URL, in the upgrade's header, or in CONNECT. */
function credentials(url, token, how) {
  switch (how) {
    case "query":
      return { url: `${url}?token=${encodeURIComponent(token)}`, upgrade: {}, connect: {} };
    case "header":
      return { url, upgrade: { Authorization: `Bearer ${token}` }, connect: {} };
    case "connect":
      return { url, upgrade: {}, connect: { Authorization: `Bearer ${token}` } };
    default:
      throw new Error(`unknown way to present a token: ${how}`);
  }
}

const subprotocols = ["v12.stomp", "v11.stomp", "v10.stomp"];

/** Connects with @stomp/stompjs, over a plain WebSocket or what else opens one that looks like it. */
const stompjsOver = (openSocket) => ({ url, token, how }) => {
  const login = credentials(url, token, how);
  return new Promise((resolve, reject) => {
    let receipts = 0;
    const client = new Client({
      webSocketFactory: () => openSocket(login),
      connectHeaders: login.connect,
      reconnectDelay: 0,
      heartbeatIncoming: 10000,
      heartbeatOutgoing: 10000,
      onStompError: (frame) => reject(new Error(`ERROR frame: ${frame.headers.message} ${frame.body}`)),
      onWebSocketError: (event) => reject(new Error(`WebSocket: ${event.message}`)),
      onConnect: (frame) =>
        resolve({
          version: frame.headers.version,
          user: frame.headers["user-name"],
          subscribe(destination, onMessage, headers = {}) {
            return new Promise((live) => {
              const receipt = `r-${++receipts}`;
              client.watchForReceipt(receipt, live);
              client.subscribe(destination, onMessage, { ...headers, receipt });
            });
          },
          send(destination, body, onReceipt) {
            const headers = { "content-type": "application/json" };
            if (onReceipt) {
              headers.receipt = `r-${++receipts}`;
              client.watchForReceipt(headers.receipt, onReceipt);
            }
            client.publish({ destination, body, headers });
          },
          transport: client.webSocket.transport,
          close: () => client.deactivate(),
        }),
    });
    client.activate();
  });
};

const plain = (login) => new WebSocket(login.url, subprotocols, { headers: login.upgrade });

/** SockJS with one transport and no other. It may take its time: machines that run tests are busy. */
const sockjs = (transport) => (login) => new SockJS(login.url, null, { transports: [transport], timeout: 20_000 });

/** Connects with webstomp-client, which knows STOMP 1.0 to 1.2 but has no receipts for SUBSCRIBE of its own. */
function connectWebstomp({ url, token, how }) {
  const login = credentials(url, token, how);
  return new Promise((resolve, reject) => {
    let receipts = 0;
    const waiting = new Map();
    const socket = new WebSocket(login.url, subprotocols, { headers: login.upgrade });
    socket.on("error", reject);
    const client = webstomp.over(socket, { debug: false, heartbeat: { outgoing: 10000, incoming: 10000 } });
    client.onreceipt = (frame) => {
      waiting.get(frame.headers["receipt-id"])?.(frame);
      waiting.delete(frame.headers["receipt-id"]);
    };
    const expect = (onReceipt) => {
      const receipt = `r-${++receipts}`;
      waiting.set(receipt, onReceipt);
      return receipt;
    };
    client.connect(
      login.connect,
      (frame) =>
        resolve({
          version: frame.headers.version,
          user: frame.headers["user-name"],
          subscribe: (destination, onMessage, headers = {}) =>
            new Promise((live) => client.subscribe(destination, onMessage, { ...headers, receipt: expect(live) })),
          send(destination, body, onReceipt) {
            const headers = { "content-type": "application/json" };
            if (onReceipt) headers.receipt = expect(onReceipt);
            client.send(destination, body, headers);
          },
          close: () => new Promise((closed) => client.disconnect(closed)),
        }),
      (failure) => reject(new Error(failure.headers?.message ?? failure.reason ?? String(failure))),
    );
  });
}

export const libraries = { stompjs: stompjsOver(plain), webstomp: connectWebstomp };
for (const transport of ["websocket", "xhr-streaming", "xhr-polling", "eventsource"]) {
  libraries[`sockjs ${transport}`] = stompjsOver(sockjs(transport));
}
