// A real browser with one page open: one JSON request a line in, one JSON answer a line out. What a page shows is found as
// people find it, by labels, names of buttons and links, and text.
'use strict';
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { chromium } = require('playwright-core');

const options = JSON.parse(process.argv[2]);
const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
// Findings of this weight and above are told.
const SERIOUS = ['serious', 'critical'];

// All that was wrong since it was last asked for: errors of pages, and requests to others than the server.
const problems = [];

function watch(page) {
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(`${message.type()}: ${message.text()} (${page.url()})`);
  });
  page.on('pageerror', (error) => problems.push(`page: ${error.message} (${page.url()})`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(options.url) && !url.startsWith('data:')) problems.push(`another host: ${url}`);
  });
}

const acts = {
  go: async (page, { to }) => {
    const response = await page.goto(options.url + to);
    return { status: response.status() };
  },
  fill: async (page, { label, value }) => page.getByLabel(label, { exact: true }).first().fill(value),
  choose: async (page, { label, value }) => page.getByLabel(label, { exact: true }).first().selectOption(value),
  check: async (page, { label }) => page.getByLabel(label, { exact: true }).first().check(),
  press: async (page, { key }) => page.keyboard.press(key),
  button: async (page, { name }) => page.getByRole('button', { name, exact: true }).first().click(),
  link: async (page, { name }) => page.getByRole('link', { name, exact: true }).first().click(),
  open: async (page, { summary }) => page.locator('summary', { hasText: summary }).first().click(),
  file: async (page, { label, name, text }) =>
    page.getByLabel(label, { exact: true }).setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(text) }),
  wait: async (page, { text }) => page.getByText(text).first().waitFor(),
  accept_dialogs: async (page) => page.on('dialog', (dialog) => dialog.accept()),
  shown: async (page) => ({ url: page.url().slice(options.url.length), title: await page.title(), text: await page.innerText('body') }),
  focused: async (page) =>
    page.evaluate(() => ({ name: document.activeElement.innerText || document.activeElement.id, tag: document.activeElement.tagName })),
  width: async (page, { pixels }) => page.setViewportSize({ width: pixels, height: 800 }),
  scheme: async (page, { dark }) => page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' }),
  // How far the page is wider than the window.
  overflow: async (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth),
  paint: async (page) =>
    page.evaluate(() => (performance.getEntriesByName('first-contentful-paint')[0] || { startTime: -1 }).startTime),
  shot: async (page, { file }) => {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    await page.screenshot({ path: file, fullPage: true });
  },
  accessibility: async (page) => {
    // A string in `evaluate` goes by the debugger's protocol, which a page's policy does not concern.
    await page.evaluate(AXE);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    return found.violations
      .filter((violation) => SERIOUS.includes(violation.impact))
      .map((violation) => `${violation.id}: ${violation.help}: ${violation.nodes.map((node) => node.html).slice(0, 3).join(' | ')}`);
  },
  load: async (page, { url }) =>
    page.evaluate(
      (src) =>
        new Promise((resolve) => {
          const script = Object.assign(document.createElement('script'), { src, onerror: resolve, onload: resolve });
          document.head.append(script);
        }).then(() => null),
      url
    ),
  problems: async () => problems.splice(0),
};

async function main() {
  const browser = await chromium.launch({ executablePath: options.browser, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  const context = await browser.newContext({ locale: options.locale, viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(30000);
  const page = await context.newPage();
  watch(page);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    try {
      const result = await acts[request.act](page, request);
      console.log(JSON.stringify({ event: 'done', result: result === undefined ? null : result }));
    } catch (error) {
      const text = await page.innerText('body').catch(() => '');
      console.log(JSON.stringify({ event: 'done', error: `${error.message}\nat ${page.url()}\n${text}` }));
    }
  }
  await browser.close();
}

main();
