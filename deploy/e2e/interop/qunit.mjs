// Runs the suite that stompjs 4.0.8 brings along in its package, the last that did, as it stands. Prints {"test": "" or
// what went wrong} for each. Orders on standard input: {"url":"ws://…/ws"}
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import QUnit from "qunit";
import WebSocket from "ws";

const require = createRequire(import.meta.url);
const suite = join(dirname(require.resolve("stompjs-4/package.json")), "tests");
// In browsers an error that nobody listens to is none.
globalThis.WebSocket = class extends WebSocket {
  constructor(...of) {
    super(...of);
    this.on("error", () => {});
  }
};
globalThis.QUnit = QUnit;
console.log = console.error; // standard output is the report
require(join(suite, "config/node-config.js")); // sets TEST, and clients of its url
Object.assign(globalThis.TEST, { url: JSON.parse(await text(process.stdin)).url, debug() {} });

const report = {};
QUnit.config.autostart = false;
QUnit.config.reorder = false;
QUnit.config.testTimeout = 20_000;
QUnit.testDone(({ module, name, assertions }) => {
  report[`${module}: ${name}`] = assertions.filter(({ result }) => !result).map(({ message }) => message || "not as expected").join("; ");
});
QUnit.done(() => process.stdout.write(JSON.stringify(report), () => process.exit(0)));
for (const file of readdirSync(join(suite, "unit")).sort()) require(join(suite, "unit", file));
QUnit.start();
