// A real browser for the tests of the page: opens pages, keeps every sign that something is wrong with them, looks at them.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { chromium } from "playwright-core";

/** What the Go test wants: {"browser":"/usr/bin/chromium","patience":30000,"pictures":"/folder",…} */
export const orders = JSON.parse(await text(process.stdin));

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Runs a test in a browser and prints what it resolves with. */
export async function inBrowser(test) {
  const browser = await chromium.launch({
    executablePath: orders.browser,
    timeout: orders.patience,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
  });
  try {
    process.stdout.write(JSON.stringify(await test(browser)));
  } finally {
    await browser.close();
  }
}

/** Opens a page in a browser profile of its own, in English unless told otherwise. */
export async function open(browser, url, more = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...more });
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
  await page.addInitScript({ content: axe }); // by the debugger, whom the page's policy does not bind
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (violation) =>
      console.error(`content security policy: ${violation.violatedDirective} ${violation.blockedURI}`),
    );
  });
  await page.goto(url);
  return { page, problems, context };
}

/** Resolves once the page lets its user write in the room, and is connected. */
export async function live(page) {
  await page.locator("#send:not([hidden])").waitFor();
  await page.locator("#state[data-state=on]").waitFor();
}

export const write = async (page, line) => {
  await page.getByLabel("Message", { exact: true }).fill(line);
  await page.getByRole("button", { name: "Send", exact: true }).click();
};

/** Resolves once the pages show the message that has this place in the room. */
export const shows = (pages, seq) =>
  Promise.all(pages.map((page) => page.locator(`.message[data-seq="${seq}"]`).waitFor()));

/** What the conversation shows: text, who it is by, how far it has come; and of which elements messages are made. */
export const conversation = (page) =>
  page.locator("#messages").evaluate((list) => ({
    messages: Array.from(list.querySelectorAll(".message"), (item) => ({
      seq: Number(item.dataset.seq),
      text: item.querySelector(".content")?.textContent ?? "",
      address: item.querySelector(".address")?.textContent ?? "",
      mine: item.classList.contains("mine"),
      ticks: item.querySelector(".ticks")?.dataset.state ?? "",
      edited: item.querySelector(".edited") !== null,
    })),
    lines: Array.from(list.querySelectorAll(".line"), (item) => item.textContent),
    elements: [...new Set(Array.from(list.querySelectorAll("*"), (element) => element.localName))].sort(),
  }));

/** The elements that stick out of the window to the right, unless they are in one that scrolls or cuts them off. */
const overflow = (page) =>
  page.evaluate(() =>
    Array.from(document.querySelectorAll("body *"))
      .filter((element) => element.checkVisibility() && !element.closest(".offscreen"))
      .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
      .map((element) => `${element.localName}#${element.id}.${element.className}`),
  );

/** The serious and critical accessibility faults that axe-core finds, with what has them. */
async function faults(page) {
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}

const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 390, height: 844 };

/** Every way to look at a page, and the two that differ most. */
export const ALL = [[WIDE, "light"], [WIDE, "dark"], [NARROW, "light"], [NARROW, "dark"]];
export const SOME = [ALL[0], ALL[3]];

/** Looks at the page in these ways; takes a picture of each, and resolves with what is wrong. */
export async function look(page, name, ways) {
  const sticksOut = [];
  const inaccessible = [];
  for (const [size, colorScheme] of ways) {
    const where = `${name}-${size.width}-${colorScheme}`;
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.setViewportSize(size);
    await page.screenshot({ path: `${orders.pictures}/${where}.png` });
    sticksOut.push(...(await overflow(page)).map((element) => `${where}: ${element}`));
    inaccessible.push(...(await faults(page)).map((fault) => `${where}: ${fault}`));
  }
  await page.setViewportSize(WIDE);
  return { sticksOut, inaccessible };
}
