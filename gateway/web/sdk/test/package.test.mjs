// The package in all the ways it is used: ES module, CommonJS, script tag; and what is in it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterEach, beforeEach, test } from "node:test";
import vm from "node:vm";
import * as esm from "fliliy-websocket-client";
import { endTime, fakeTime, World } from "./world.mjs";

const require = createRequire(import.meta.url);
const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");

let world;
const clients = [];
beforeEach(() => {
  fakeTime();
  world = new World();
});
afterEach(() => endTime(clients.splice(0)));

/** What a page gives a script. */
function page() {
  const { webSocketFactory: WebSocket } = world;
  const scripts = [];
  const window = {
    setTimeout, clearTimeout, setInterval, clearInterval, TextEncoder, TextDecoder, URL, Date, crypto, console, atob,
    WebSocket: function (url) {
      return WebSocket(url);
    },
    fetch: world.fetch,
    location: { origin: "https://page.test" },
    document: {
      currentScript: { src: "https://page.test/sdk/fliliy-websocket-client.js" },
      createElement: () => ({}),
      head: { append: (script) => scripts.push(script) },
    },
  };
  vm.createContext(window);
  vm.runInContext(read("build/script/fliliy-websocket-client.js"), window);
  return { window, scripts };
}

async function chat(FliliyWebSocketClient, options) {
  const client = new FliliyWebSocketClient({ jwtToken: "t", fetch: world.fetch, ...options });
  clients.push(client);
  await client.connect();
  await client.subscribeToChatRoom(1);
  return client.sendTextMessage(1, "hi");
}

const { webSocketFactory } = { webSocketFactory: (...args) => world.webSocketFactory(...args) };
const stored = { messageId: "1-1", seq: 1, duplicate: false };

test("as an ES module and as CommonJS", async () => {
  const cjs = require("fliliy-websocket-client");
  assert.deepEqual(Object.keys(cjs).sort(), Object.keys(esm).sort());
  assert.deepEqual(await chat(esm.FliliyWebSocketClient, { serverUrl: "http://a.test", webSocketFactory }), stored);
  world = new World();
  assert.deepEqual(await chat(cjs.FliliyWebSocketClient, { serverUrl: "http://a.test", webSocketFactory }), stored);
});

test("by a script tag, with the page's own server as the default", async () => {
  const { window, scripts } = page();
  assert.deepEqual({ ...(await chat(window.FliliyWebSocketClient, {})) }, stored);
  assert.equal(world.opened[0].url, "wss://page.test/ws");
  assert.equal(typeof window.FliliyWebSocketClient.ChatError, "function");
  assert.deepEqual(scripts, []);
});

test("the script loads SockJS from beside itself, when it is needed", async () => {
  const { window, scripts } = page();
  const done = chat(window.FliliyWebSocketClient, { transport: "sockjs" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(scripts[0].src, "https://page.test/sdk/sockjs.js");
  window.SockJS = function (url) {
    return world.webSocketFactory(url);
  };
  scripts[0].onload();
  assert.deepEqual({ ...(await done) }, stored);
  assert.equal(world.opened[0].url, "https://page.test/ws");
});

test("a SockJS that cannot be loaded is told", async () => {
  const { window, scripts } = page();
  const done = chat(window.FliliyWebSocketClient, { transport: "sockjs", autoReconnect: false });
  await new Promise((resolve) => setImmediate(resolve));
  scripts[0].onerror();
  await assert.rejects(done, { code: "UNAVAILABLE", message: /sockjs\.js could not be loaded/ });
});

test("SockJS is no part of the modules or the script", () => {
  assert.match(read("build/esm/index.js"), /import\("sockjs-client"\)/);
  assert.doesNotMatch(read("build/script/fliliy-websocket-client.js"), /xhr_streaming|iframe-eventsource/);
  assert.match(read("build/script/sockjs.js"), /xhr_streaming|xhr-streaming/);
});

test("the READMEs name every option, event, code and method", () => {
  const options = Array.from(read("build/types/options.d.ts").matchAll(/^ {4}(\w+)\?{0,1}: /gm), ([, name]) => name);
  const events = /interface Events \{([^]*?)\n\}/.exec(read("build/types/events.d.ts"))[1];
  const names = Array.from(events.matchAll(/^ {4}(\w+): /gm), ([, name]) => name);
  const methods = Object.getOwnPropertyNames(esm.FliliyWebSocketClient.prototype);
  const hidden = Array.from(read("build/types/client.d.ts").matchAll(/private (?:readonly )?(\w+)/g), ([, name]) => name);
  const codes = read("build/types/errors.d.ts").match(/"[A-Z_]+"/g).map((code) => code.slice(1, -1));
  const all = [...options, ...names, ...methods.filter((name) => !hidden.includes(name)), ...codes];
  assert.ok(options.length > 15 && names.length > 20 && methods.length > 20 && codes.length > 10);
  for (const readme of ["README.md", "README.zh-CN.md"]) {
    const text = read(readme);
    const missing = all.filter((name) => name !== "constructor" && !new RegExp("`[^`\n]*\\b" + name + "\\b").test(text));
    assert.deepEqual(missing, [], `${readme} leaves out`);
  }
});

test("the two READMEs have the same sections, tables and code", () => {
  const shape = (name) => {
    const text = read(name);
    return {
      headings: text.match(/^#+ /gm).length,
      rows: text.match(/^\|/gm).length,
      code: Array.from(text.matchAll(/^```[^]*?^```/gm), ([block]) => block),
    };
  };
  assert.deepEqual(shape("README.zh-CN.md"), shape("README.md"));
});
