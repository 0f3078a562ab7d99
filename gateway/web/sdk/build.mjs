// Builds the package: ESM and CommonJS with their dependencies left outside, and the script-tag bundle with stompjs
// inside and SockJS beside it. With an argument, the script bundle goes to that folder alone: the gateway embeds it.
import { mkdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const common = { bundle: true, target: "es2019", charset: "utf8", logLevel: "warning" };
const external = ["@stomp/stompjs", "sockjs-client"];
const [embedded] = process.argv.slice(2);
const scripts = embedded ?? "build/script";

/** A script for a <script> tag, with the licences of what is in it. */
const script = (entry, name, more = {}) =>
  build({
    ...common,
    ...more,
    entryPoints: [entry],
    outfile: `${scripts}/${name}`,
    format: "iife",
    minify: true,
    legalComments: "inline",
  });

const banner = { js: "/*! fliliy-websocket-client, MIT. Contains @stomp/stompjs, Apache-2.0. */" };
const sockJS = { js: "/*! sockjs-client, MIT */" };
const work = [
  script("src/script.ts", "fliliy-websocket-client.js", { banner }),
  script("sockjs-client", "sockjs.js", {
    banner: sockJS,
    globalName: "SockJS",
    define: { global: "globalThis" },
    platform: "browser",
  }),
];
if (!embedded) {
  work.push(
    build({ ...common, entryPoints: ["src/index.ts"], outfile: "build/esm/index.js", format: "esm", external, sourcemap: true }),
    build({ ...common, entryPoints: ["src/index.ts"], outfile: "build/cjs/index.cjs", format: "cjs", external, sourcemap: true }),
  );
  // CommonJS has types of its own: TypeScript takes a .d.ts of this package for those of an ES module.
  mkdirSync("build/cjs", { recursive: true });
  writeFileSync("build/cjs/index.d.cts", 'export * from "../types/index.js" with { "resolution-mode": "import" };\n');
}
await Promise.all(work);
