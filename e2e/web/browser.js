// Chromium without a screen, driven by lines of JSON: {"id", "page", "do": "open" | "run" | "close", "with"}.
//
// "open" loads a URL in a page of its own; "run" evaluates an expression there and waits for its promise. Each line is
// answered by one {"id", "value"} or {"id", "error"}, in no order: two pages may be busy at once. The end of the input
// ends the browser.

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
