// The client library by script tag, in a real browser, from the gateway that serves the page. Prints what two people
// got who talk over a transport each. Orders: {"browser":"…","pages":["http://…/"],"room":"42","people":[{"token":"…","transport":"…"}]}
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const orders = JSON.parse(await text(process.stdin));

/** Opens a page, loads the library into it, and enters the room. */
async function enter(browser, i) {
  const page = await browser.newPage();
  await page.goto(orders.pages[i]);
  await page.addScriptTag({ url: "/sdk/fliliy-websocket-client.js" });
  await page.evaluate(
    async ({ room, token, transport }) => {
      window.got = [];
      window.client = new FliliyWebSocketClient({ jwtToken: token, transport });
      client.on("message", (message) => got.push(message.content));
      await client.connect();
      await client.subscribeToChatRoom(room);
    },
    { room: orders.room, ...orders.people[i] },
  );
  return page;
}

const browser = await chromium.launch({
  executablePath: orders.browser,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});
try {
  const pages = [await enter(browser, 0), await enter(browser, 1)];
  for (const [i, page] of pages.entries()) {
    await page.evaluate(([room, line]) => client.sendTextMessage(room, line), [orders.room, `line ${i}`]);
  }
  for (const page of pages) await page.waitForFunction((count) => window.got.length === count, pages.length);
  const sockJS = await Promise.all(pages.map((page) => page.evaluate(() => typeof SockJS === "function")));
  process.stdout.write(JSON.stringify({ got: await Promise.all(pages.map((page) => page.evaluate(() => got))), sockJS }));
} finally {
  await browser.close();
}
