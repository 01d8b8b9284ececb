// Chromium without a screen, driven by lines of JSON: {"id", "page", "do", "with"}.
//
// "open" loads a URL in a page of its own; "run" evaluates an expression there and waits for its promise. What a person
// does: "visit" loads a URL in a browser context of its own, as wide as a phone where "with" has {url, width}; "fill" types
// into what {label} names; "press" presses a key, and waits for the page that Enter brings; "click" follows the link or button of this name, and waits for the page
// that comes; "look" is {url, title, text, focus}; "shoot" takes a picture into a file. Each line is answered by one
// {"id", "value"} or {"id", "error"}, in no order: two pages may be busy at once. The end of the input ends the browser.

import readline from 'node:readline';
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--ignore-certificate-errors', '--allow-loopback-in-peer-connection',
  '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required',
];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
const pages = new Map();

const actions = {
  async open(name, url) {
    const page = await browser.newPage();
    page.on('console', (message) => console.error(`${name}: ${message.text()}`));
    page.on('pageerror', (error) => console.error(`${name}: ${error}`));
    pages.set(name, page);
    await page.goto(url);
  },
  async visit(name, { url, width = 1024 }) {
    if (!pages.has(name)) {
      const viewport = { width, height: width < 600 ? 740 : 768 };
      const context = await browser.newContext({ viewport, isMobile: width < 600, ignoreHTTPSErrors: true });
      pages.set(name, await context.newPage());
    }
    await pages.get(name).goto(url);
  },
  async fill(name, { label, text }) {
    await pages.get(name).getByLabel(label, { exact: true }).fill(text);
  },
  async press(name, key) {
    const page = pages.get(name);
    await Promise.all([key === 'Enter' && page.waitForNavigation(), page.keyboard.press(key)]);
  },
  async click(name, text) {
    const page = pages.get(name);
    const target = page.getByRole('button', { name: text, exact: true }).or(page.getByRole('link', { name: text, exact: true }));
    await Promise.all([page.waitForNavigation(), target.click()]);
  },
  async look(name) {
    const page = pages.get(name);
    const [text, focus, width] = await page.evaluate(() => [
      document.body.innerText, document.activeElement?.id ?? '', document.documentElement.scrollWidth - innerWidth,
    ]);
    return { url: page.url(), title: await page.title(), text, focus, overflow: width };
  },
  async shoot(name, file) {
    await pages.get(name).screenshot({ path: file, fullPage: true });
  },
  async run(name, expression) {
    return pages.get(name).evaluate(expression);
  },
  async close(name) {
    await pages.get(name).close();
    pages.delete(name);
  },
};

function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

say({ id: 0, value: browser.version() });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const wish = JSON.parse(line);
  actions[wish.do](wish.page, wish.with).then(
    (value) => say({ id: wish.id, value: value ?? null }),
    (error) => say({ id: wish.id, error: String(error.message ?? error) }),
  );
}
await browser.close();
