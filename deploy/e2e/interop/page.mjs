// Three people use the gateways' test page in a real browser, as the README's walk says: alice makes a room, bob enters
// it on another gateway, they chat, carol tries to get in. Then alice and bob come back by the README's links.
// Reads its orders as JSON from standard input and prints what stood on the pages as JSON; the Go test judges.
//
//   {"browser":"/usr/bin/chromium","patience":30000,"pictures":"/folder","lines":["hello","…"],
//    "alice":{"user":"alice","page":"http://…/","link":"http://…/#…"},"bob":{…},"outsider":{"user":"carol","page":"…"}}
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

const orders = JSON.parse(await text(process.stdin));

/** Opens a page in a browser profile of its own and keeps every sign that something is wrong with it. */
async function open(browser, url, size = { width: 1280, height: 800 }) {
  const context = await browser.newContext({ viewport: size });
  context.setDefaultTimeout(orders.patience);
  const page = await context.newPage();
  const problems = [];
  page.on("dialog", async (dialog) => {
    problems.push(`dialog: ${dialog.message()}`);
    await dialog.dismiss();
  });
  page.on("pageerror", (error) => problems.push(`uncaught: ${error.message}`));
  page.on("console", (line) => {
    if (["error", "warning"].includes(line.type())) problems.push(`console: ${line.text()}`);
  });
  page.on("requestfailed", (request) => problems.push(`request failed: ${request.url()}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (violation) =>
      console.error(`content security policy: ${violation.violatedDirective} ${violation.blockedURI}`),
    );
  });
  await page.goto(url);
  return { page, problems, context };
}

const field = (page, label) => page.getByLabel(label, { exact: true });
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

/** Resolves once the page lets its user write: the room is live. */
const live = (page) => page.locator("#text:enabled").waitFor();

async function getToken(page) {
  await press(page, "Get a development token");
  await page.waitForFunction(() => document.getElementById("token").value.split(".").length === 3);
}

async function createRoom(page, member) {
  await getToken(page);
  await field(page, "New room with").fill(member);
  await press(page, "Create the room");
  await live(page);
  return field(page, "Room").inputValue();
}

async function enterRoom(page, room) {
  await getToken(page);
  await field(page, "Room").fill(room);
  await press(page, "Connect");
  await live(page);
}

/** Sends a line and resolves once both pages show it with its number in the room. */
async function say(from, to, line, place) {
  await from.getByLabel("Message", { exact: true }).fill(line);
  await press(from, "Send");
  const mark = new RegExp(`^(\\S+ · )?#${place} · `);
  for (const page of [from, to]) await page.locator(".meta", { hasText: mark }).waitFor();
}

/** What the conversation shows: text, who it is by, and the names of all elements that messages are made of. */
const conversation = (page) =>
  page.locator("#messages").evaluate((list) => ({
    messages: Array.from(list.querySelectorAll("li:not(.line)"), (item) => ({
      text: item.firstChild.textContent,
      mine: item.classList.contains("mine"),
      meta: item.lastChild.textContent,
    })),
    elements: [...new Set(Array.from(list.querySelectorAll("*"), (element) => element.localName))].sort(),
  }));

/** The elements that stick out of the window to the right. */
const overflow = (page) =>
  page.evaluate(() =>
    Array.from(document.querySelectorAll("body *"))
      .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
      .map((element) => `${element.localName}#${element.id}`),
  );

/** Looks at the page in a wide and in a narrow window and takes a picture of each. */
async function look(page, name) {
  const out = [];
  for (const [width, height] of [[1280, 800], [390, 844]]) {
    await page.setViewportSize({ width, height });
    out.push(...(await overflow(page)).map((element) => `${element} at ${width} px`));
    await page.screenshot({ path: `${orders.pictures}/${name}-${width}.png` });
  }
  return out;
}

/** Tries to enter a room that is not the user's and resolves with what the page says. */
async function refuse(browser, room) {
  const { page, problems } = await open(browser, `${orders.outsider.page}#user=${orders.outsider.user}&room=${room}`);
  const notice = page.getByRole("alert");
  await notice.waitFor();
  return {
    notice: await notice.textContent(),
    state: await page.getByRole("status").textContent(),
    ...(await conversation(page)),
    sticksOut: await look(page, "outsider"),
    problems,
  };
}

/** Everything the walk makes a user see. */
const seen = async ({ page, problems }, name) => ({
  state: await page.getByRole("status").textContent(),
  frames: await page.locator("#frames").innerText(),
  ...(await conversation(page)),
  sticksOut: await look(page, name),
  problems,
});

/** Comes back by a link of the README and resolves with the room it leads to and what stands there. */
async function comeBack(browser, link) {
  const { page, problems } = await open(browser, link);
  await live(page);
  return { room: await field(page, "Room").inputValue(), ...(await conversation(page)), problems };
}

const browser = await chromium.launch({
  executablePath: orders.browser,
  timeout: orders.patience,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});
try {
  const alice = await open(browser, `${orders.alice.page}#user=${orders.alice.user}`);
  const bob = await open(browser, `${orders.bob.page}#user=${orders.bob.user}`);
  const room = await createRoom(alice.page, orders.bob.user);
  await enterRoom(bob.page, room);
  for (const [i, line] of orders.lines.entries()) {
    await (i % 2 ? say(bob.page, alice.page, line, i + 1) : say(alice.page, bob.page, line, i + 1));
  }
  const outsider = await refuse(browser, room);
  const saw = { room, alice: await seen(alice, "alice"), bob: await seen(bob, "bob"), outsider };
  await alice.context.close();
  await bob.context.close();
  saw.aliceAgain = await comeBack(browser, orders.alice.link);
  saw.bobAgain = await comeBack(browser, orders.bob.link);
  process.stdout.write(JSON.stringify(saw));
} finally {
  await browser.close();
}
