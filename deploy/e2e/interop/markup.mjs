// alice and bob write markup, links that run scripts and marks that turn the direction of writing, in everything that users
// can write: messages, attachments, the name of a room. Prints what bob's page, and his list of rooms, make of it. Its orders,
// beside browser.mjs's: "alice", "bob": links that open the room; "lines", "addresses": what alice writes.
import { SOME, conversation, inBrowser, live, look, open, orders, shows, write } from "./browser.mjs";

const field = (page, label) => page.getByLabel(label, { exact: true });

/** Sends an image by its address. */
async function attach(page, address) {
  await page.locator("#attach summary").click();
  await page.getByRole("button", { name: "Image" }).click();
  await field(page, "Address").fill(address);
  await field(page, "Caption").fill(address);
  await page.locator("#attachment").getByRole("button", { name: "Send" }).click();
}

/** Everything on the page that could run a script, load something, or lead somewhere; and how texts keep their direction. */
const dangers = (page) =>
  page.evaluate(() => ({
    active: Array.from(
      document.querySelectorAll("a, img, iframe, object, embed, audio, video, base, meta[http-equiv], form[action], script:not([src='/assets/chat-client.js'])"),
      (element) => element.outerHTML,
    ),
    handlers: Array.from(document.querySelectorAll("*"))
      .filter((element) => Array.from(element.attributes).some(({ name }) => name.startsWith("on")))
      .map((element) => element.outerHTML),
    loose: Array.from(document.querySelectorAll(".content, .address, .line *, .room-name, .room-last"))
      .filter((element) => !["isolate", "plaintext", "isolate-override"].includes(getComputedStyle(element).unicodeBidi))
      .map((element) => element.className),
    ran: window.ran ?? null,
  }));

await inBrowser(async (browser) => {
  const alice = await open(browser, orders.alice);
  const bob = await open(browser, orders.bob);
  const both = [alice.page, bob.page];
  await Promise.all(both.map(live));
  let seq = 0;
  for (const line of orders.lines) {
    await write(alice.page, line);
    await shows(both, ++seq);
  }
  for (const address of orders.addresses) {
    await attach(alice.page, address);
    await shows(both, ++seq);
  }
  const report = {};
  for (const [name, { page, problems }] of Object.entries({ alice, bob })) {
    report[name] = {
      ...(await conversation(page)),
      ...(await dangers(page)),
      title: await page.locator("#room-name").textContent(),
      row: await page.locator(".room[aria-current] .room-name").textContent(),
      ...(await look(page, `markup-${name}`, SOME)),
      problems,
    };
  }
  return report;
});
