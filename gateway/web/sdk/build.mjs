// Builds the package. Without an argument: ESM and CommonJS with their dependencies left outside, and the script-tag
// bundle with stompjs inside and SockJS beside it. `types`: the declarations, once for each kind of module. `embed FOLDER`:
// the script bundle alone, for a gateway to serve.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const common = { bundle: true, target: "es2019", charset: "utf8", logLevel: "warning" };

/** A module of the package itself; what it depends on stays where npm puts it. */
const moduleOf = (format) =>
  build({
    ...common,
    entryPoints: ["src/index.ts"],
    outfile: `build/${format}/index.js`,
    format,
    external: ["@stomp/stompjs", "sockjs-client"],
    sourcemap: true,
  });

/** A script for a <script> tag, with the licences of what is in it. */
const scriptOf = (folder, entry, name, banner, more = {}) =>
  build({
    ...common,
    ...more,
    entryPoints: [entry],
    outfile: `${folder}/${name}`,
    format: "iife",
    platform: "browser",
    minify: true,
    legalComments: "inline",
    banner: { js: `/*! ${banner} */` },
  });

const scripts = (folder) =>
  Promise.all([
    scriptOf(
      folder,
      "src/script.ts",
      "fliliy-websocket-client.js",
      "fliliy-websocket-client, MIT. Contains @stomp/stompjs, Apache-2.0.",
    ),
    scriptOf(folder, "sockjs-client", "sockjs.js", "sockjs-client, MIT", {
      globalName: "SockJS",
      define: { global: "globalThis" },
    }),
  ]);

/** In a folder of this kind .js and .d.ts are CommonJS, whatever the package is. */
function markCommonJS() {
  mkdirSync("build/cjs", { recursive: true });
  writeFileSync("build/cjs/package.json", '{"type":"commonjs"}\n');
}

const [what, folder] = process.argv.slice(2);
if (what === "embed") await scripts(folder);
else if (what === "types") {
  execFileSync("node_modules/.bin/tsc", ["-p", "."], { stdio: "inherit" });
  cpSync("build/types", "build/cjs", { recursive: true });
} else {
  markCommonJS();
  await Promise.all([moduleOf("esm"), moduleOf("cjs"), scripts("build/script")]);
}
