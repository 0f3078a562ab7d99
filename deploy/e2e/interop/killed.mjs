// alice and bob chat on the test page, each on a gateway of their own, while alice's is killed. What she writes meanwhile
// waits. Its orders, beside browser.mjs's: "alice", "bob": links that open the room; "pid": alice's gateway; "each": how
// many messages each of them writes before, and after.
import { conversation, inBrowser, live, open, orders, write } from "./browser.mjs";

/** Resolves once a page shows so many messages, all of them stored. */
const settled = async (page, count) => {
  await page.waitForFunction(
    (n) => document.querySelectorAll('.message[data-seq]:not([data-seq=""])').length >= n &&
      !document.querySelector(".ticks[data-state=sending]"),
    count,
  );
};

await inBrowser(async (browser) => {
  const alice = await open(browser, orders.alice);
  const bob = await open(browser, orders.bob);
  const both = [alice.page, bob.page];
  await Promise.all(both.map(live));
  for (let i = 0; i < orders.each; i++) await Promise.all(both.map((page, who) => write(page, `before ${who} ${i}`)));
  await Promise.all(both.map((page) => settled(page, 2 * orders.each)));
  const first = await alice.page.locator("#state-node").textContent();
  process.kill(orders.pid, "SIGKILL");
  for (let i = 0; i < orders.each; i++) await Promise.all(both.map((page, who) => write(page, `after ${who} ${i}`)));
  await Promise.all(both.map((page) => settled(page, 4 * orders.each)));
  await alice.page.locator("#state[data-state=on]").waitFor();
  const second = await alice.page.locator("#state-node").textContent();
  for (const [name, { page }] of Object.entries({ alice, bob })) {
    await page.screenshot({ path: `${orders.pictures}/killed-${name}.png` });
  }
  return {
    nodes: [first, second],
    reconnects: await alice.page.locator("#fact-reconnects").textContent(),
    alice: await conversation(alice.page),
    bob: await conversation(bob.page),
    uncaught: [...alice.problems, ...bob.problems].filter((problem) => /^(uncaught|dialog)/.test(problem)),
  };
});
