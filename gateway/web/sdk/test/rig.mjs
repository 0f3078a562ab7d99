// What the tests about connections share: a client of a world with two servers, that writes down what it is told.
import { afterEach, beforeEach } from "node:test";
import { FliliyWebSocketClient } from "fliliy-websocket-client";
import { endTime, fakeTime, World } from "./world.mjs";

/** The world of the test that runs. */
export let world;
let clients;

/** Gives every test of a file a world and a time of its own. */
export function eachInItsWorld() {
  beforeEach(() => {
    fakeTime();
    world = new World();
    clients = [];
  });
  afterEach(() => endTime(clients));
}

export function make(more = {}) {
  const { webSocketFactory, fetch } = world;
  const client = new FliliyWebSocketClient({
    serverUrl: ["http://one.test", "http://two.test"], jwtToken: "t", heartbeatMs: 0, webSocketFactory, fetch, ...more,
  });
  clients.push(client);
  const seqs = [];
  client.on("message", (event) => seqs.push(event.seq));
  const states = [];
  for (const name of ["connected", "disconnected", "reconnecting", "drain"]) {
    client.on(name, (detail) => states.push(detail.node ? `${name} ${detail.node}` : name));
  }
  const errors = [];
  client.on("error", (error) => errors.push(error.code));
  return { client, seqs, states, errors };
}

export const upTo = (n, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => from + i);
export const codeOf = (promise) => promise.then(() => "resolved", (error) => error.code);
