// In a real browser, pages of the gateways' own origin and of another one chat by sockjs-client and stompjs, one transport
// after the other. Reads its orders as JSON from standard input and prints as JSON what went wrong, by page and
// transport; the Go test judges.
//
//   {"browser":"/usr/bin/chromium","patience":30000,"gateways":"http://…","token":"…","room":"42",
//    "pages":{"own":["xhr-polling",…],"http://shop.test":[…]}}
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const orders = JSON.parse(await text(process.stdin));
const scripts = {
  "/sockjs.js": await readFile("node_modules/sockjs-client/dist/sockjs.min.js", "utf8"),
  "/stomp.js": await readFile("node_modules/@stomp/stompjs/bundles/stomp.umd.min.js", "utf8"),
};
const html = `<!DOCTYPE html><title>shop</title><script src="/sockjs.js"></script><script src="/stomp.js"></script>`;

/** Opens a page with both libraries at an origin; what it and its frames load of these is made up here. */
async function open(browser, origin) {
  const context = await browser.newContext();
  context.setDefaultTimeout(orders.patience);
  await context.route(
    (url) => url.pathname === "/shop" || url.pathname in scripts,
    (route) => {
      const script = scripts[new URL(route.request().url()).pathname];
      return route.fulfill(
        script ? { contentType: "text/javascript", body: script } : { contentType: "text/html", body: html },
      );
    },
  );
  const page = await context.newPage();
  await page.goto(`${origin}/shop`);
  return page;
}

/** Runs in the page: connects by one transport, sends lines one after the other and waits for each to come back. */
function chat({ url, transport, room, patience }) {
  return new Promise((resolve) => {
    const lines = ["1", "第二", "3 \u2028 \u{1F6B2} <script>", "4".repeat(2000), "5"];
    let used, client, seen = 0;
    const done = (fault) => {
      resolve(fault);
      client.deactivate({ force: true });
    };
    setTimeout(() => done(`${seen} of ${lines.length} lines within ${patience} ms`), patience);
    const say = () => client.publish({
      destination: `/app/chat/${room}/send`, body: JSON.stringify({ type: "TEXT", content: lines[seen] }),
    });
    client = new StompJs.Client({
      reconnectDelay: 0,
      webSocketFactory: () => (used = new SockJS(url, null, { transports: [transport], timeout: patience })),
      onWebSocketClose: (event) => done(`closed: ${event.code} ${event.reason}`),
      onStompError: (frame) => done(`ERROR: ${frame.headers.message}`),
      onConnect() {
        if (used.transport !== transport) return done(`it is ${used.transport}`);
        client.subscribe(`/topic/chat/${room}`, (frame) => {
          if (frame.headers.event !== "MESSAGE") return;
          const { content } = JSON.parse(frame.body);
          if (content !== lines[seen]) return done(`line ${seen + 1} came back as ${content}`);
          if (++seen === lines.length) return done("");
          say();
        });
        say();
      },
    });
    client.activate();
  });
}

const browser = await chromium.launch({
  executablePath: orders.browser,
  timeout: orders.patience,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    // A page of another site asks its user before it may reach this machine; here nobody answers.
    "--disable-features=LocalNetworkAccessChecks",
  ],
});
try {
  const report = {};
  for (const [name, transports] of Object.entries(orders.pages)) {
    const page = await open(browser, name === "own" ? orders.gateways : name);
    report[name] = {};
    for (const transport of transports) {
      report[name][transport] = await page.evaluate(chat, {
        url: `${orders.gateways}/ws?token=${orders.token}`, transport, room: orders.room, patience: orders.patience / 2,
      });
    }
    await page.context().close();
  }
  process.stdout.write(JSON.stringify(report));
} finally {
  await browser.close();
}
