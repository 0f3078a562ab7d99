// Three people use the gateways' test page in a real browser, as the README's walk says: alice makes a room, bob enters
// it on another gateway, they chat, carol tries to get in. Then alice and bob come back by the README's links.
// The Go test judges what this prints. Its orders, beside browser.mjs's: "lines":["hello","…"],
// "alice":{"user":"alice","page":"http://…/","link":"http://…/#…"},"bob":{…},"outsider":{"user":"carol","page":"…"}
import { ALL, SOME, conversation, inBrowser, live, look, open, orders, shows, write } from "./browser.mjs";

const button = (page, name) => page.getByRole("button", { name, exact: true });
const field = (page, label) => page.getByLabel(label, { exact: true });

/** Connects as the README's walk says, by the dialog. */
async function connect(page, user) {
  await field(page, "User").fill(user);
  await button(page, "Get a development token").click();
  await page.waitForFunction(() => document.getElementById("token").value.split(".").length === 3);
  await button(page, "Connect").click();
  await page.locator("#state[data-state=on]").waitFor();
}

async function createRoom(page, member) {
  await page.getByRole("navigation").getByRole("button", { name: "New room" }).first().click();
  await field(page, "New room with").fill(member);
  await button(page, "Create the room").click();
  await live(page);
  return new URLSearchParams(new URL(page.url()).hash.slice(1)).get("room");
}

/** Resolves with the ticks of a message, once they are what they should become. */
async function ticks(page, seq, state) {
  const mark = page.locator(`.message[data-seq="${seq}"] .ticks[data-state=${state}]`);
  await mark.waitFor();
  return mark.locator("svg").getAttribute("aria-label");
}

/** Types without sending, and resolves with what the other page says. */
async function typing(from, to) {
  await from.getByLabel("Message", { exact: true }).pressSequentially("hm");
  await to.locator("#typing:not(:empty)").waitFor();
  const said = await to.locator("#typing").textContent();
  await from.getByLabel("Message", { exact: true }).fill("");
  return said;
}

/** The frames that the log shows, by the first word of each. */
const shownFrames = (page) =>
  page.locator("#frames li:not([hidden]) .frame-head").evaluateAll((heads) =>
    heads.map((head) => `${head.querySelector(".way").textContent} ${head.querySelector("b").textContent}`),
  );

/** Narrows the frame log down in each way there is. */
async function filterFrames(page, text) {
  const all = await shownFrames(page);
  await field(page, "Direction").selectOption("out");
  const out = await shownFrames(page);
  await field(page, "Command").selectOption("SEND");
  const sends = await shownFrames(page);
  await field(page, "Containing…").fill(text);
  const one = await shownFrames(page);
  const content = await page.locator("#frames li:not([hidden])").allInnerTexts();
  for (const [label, value] of [["Direction", ""], ["Command", ""]]) await field(page, label).selectOption(value);
  await field(page, "Containing…").fill("");
  await button(page, "Pause").click();
  return { all, out, sends, one, content, text: await page.locator("#frames").innerText() };
}

/** Edits the newest own message and takes the one before back; resolves when the other page shows both. */
async function change(page, other, [recalled, edited], text) {
  await page.getByLabel("Message", { exact: true }).press("ArrowUp");
  await write(page, text);
  await other.locator(`.message[data-seq="${edited}"] .content`, { hasText: text }).waitFor();
  await page.locator(`.message[data-seq="${recalled}"]`).hover();
  await page.locator(`.message[data-seq="${recalled}"]`).getByRole("button", { name: "Recall" }).click();
  await other.locator(".line").waitFor();
}

/** Whether the pages agree on the texts of both languages. */
async function languages(page) {
  const look = async () => ({
    lang: await page.locator("html").getAttribute("lang"),
    rooms: await page.locator("nav h2").textContent(),
    state: await page.locator("#state-text").textContent(),
    hint: await page.locator("#text").getAttribute("placeholder"),
  });
  const english = await look();
  await page.locator("#language").click();
  const chinese = await look();
  await page.locator("#language").click();
  return { english, chinese, again: await look() };
}

/** The list of rooms as it shows the open one. */
const roomRow = (page) => page.locator(".room[aria-current]").innerText();

/** Tries to enter a room that is not the user's and resolves with what the page says. */
async function refuse(browser, room) {
  const { page, problems } = await open(browser, `${orders.outsider.page}#user=${orders.outsider.user}&room=${room}`);
  await page.locator("#notice:not([hidden])").waitFor();
  return { notice: await page.locator("#notice").textContent(), ...(await conversation(page)), problems };
}

const seen = async ({ page, problems }, name, ways = ALL) => ({
  state: await page.locator("#state-text").textContent(),
  about: await page.locator("#room-about").textContent(),
  row: await roomRow(page),
  ...(await conversation(page)),
  ...(await look(page, name, ways)),
  problems,
});

async function comeBack(browser, link) {
  const { page, problems } = await open(browser, link);
  await live(page);
  const room = new URLSearchParams(new URL(page.url()).hash.slice(1)).get("room");
  return { room, ...(await conversation(page)), problems };
}

/** Opens the parts of the page that only one who asks for them sees, and looks at each. */
async function corners(page) {
  const out = { sticksOut: [], inaccessible: [] };
  const add = async (name, ways = SOME) => {
    const { sticksOut, inaccessible } = await look(page, name, ways);
    out.sticksOut.push(...sticksOut);
    out.inaccessible.push(...inaccessible);
  };
  await page.getByRole("tab", { name: "Measure" }).click();
  await add("measure", [ALL[0]]);
  await page.getByRole("tab", { name: "Break it" }).click();
  await add("faults", [ALL[1]]);
  await page.setViewportSize(ALL[2][0]); // where the inspector is asked for
  await button(page, "Inspector").click();
  await add("faults", [ALL[2]]);
  await page.setViewportSize(ALL[2][0]);
  await page.locator("#back").click();
  await add("rooms", [ALL[2]]);
  await page.locator("body").press("?");
  await add("shortcuts");
  await page.keyboard.press("Escape");
  await page.locator("#state").click();
  await add("connection");
  await page.keyboard.press("Escape");
  return out;
}

await inBrowser(async (browser) => {
  const alice = await open(browser, orders.alice.page);
  const bob = await open(browser, `${orders.bob.page}#user=${orders.bob.user}`);
  const both = [alice.page, bob.page];
  await connect(alice.page, orders.alice.user);
  const room = await createRoom(alice.page, orders.bob.user);
  await bob.page.locator("#state[data-state=on]").waitFor();
  await bob.page.goto(`${orders.bob.page}#user=${orders.bob.user}&room=${room}`);
  await live(bob.page);
  for (const [i, line] of orders.lines.entries()) {
    await write(both[i % 2], line);
    await shows(both, i + 1);
  }
  const saw = { room, read: await ticks(alice.page, orders.lines.length, "read") };
  saw.typing = await typing(bob.page, alice.page);
  saw.filters = await filterFrames(alice.page, orders.lines.at(-1));
  saw.languages = await languages(alice.page);
  await write(alice.page, "a slip");
  await shows(both, orders.lines.length + 1);
  await write(alice.page, "see you at fife");
  await shows(both, orders.lines.length + 2);
  await change(alice.page, bob.page, [orders.lines.length + 1, orders.lines.length + 2], "see you at five");
  saw.outsider = await refuse(browser, room);
  saw.alice = await seen(alice, "alice");
  saw.bob = await seen(bob, "bob", SOME);
  saw.corners = await corners(alice.page);
  await alice.context.close();
  await bob.context.close();
  saw.aliceAgain = await comeBack(browser, orders.alice.link);
  saw.bobAgain = await comeBack(browser, orders.bob.link);
  return saw;
});
