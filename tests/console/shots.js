// Pictures of every page of the console, as `tests/console/shots` has them taken.
'use strict';
const fs = require('fs');
const path = require('path');
const { chromium } = require('playwright-core');

const options = JSON.parse(process.argv[2]);
const KINDS = [
  { name: 'en', locale: 'en-US', width: 1280, colorScheme: 'light' },
  { name: 'zh', locale: 'zh-CN', width: 1280, colorScheme: 'light' },
  { name: 'dark', locale: 'en-US', width: 1280, colorScheme: 'dark' },
  { name: 'phone', locale: 'en-US', width: 360, colorScheme: 'light' },
];

async function logIn(page) {
  await page.goto(`${options.url}/login`);
  await page.locator('#id').fill(options.id);
  await page.locator('#secret').fill(options.secret);
  await page.keyboard.press('Enter');
  await page.locator('header.top').waitFor();
}

async function shots(browser, kind) {
  const { locale, width, colorScheme } = kind;
  const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: 800 } });
  const page = await context.newPage();
  await page.goto(`${options.url}/login`);
  await page.screenshot({ path: path.join(options.folder, `${options.state}-login-${kind.name}.png`), fullPage: true });
  await logIn(page);
  for (const [name, at] of Object.entries(options.pages)) {
    const response = await page.goto(options.url + at);
    const paint = await page.evaluate(() => (performance.getEntriesByName('first-contentful-paint')[0] || {}).startTime);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    const bytes = (await response.body()).length;
    const file = `${options.state}-${name}-${kind.name}.png`;
    await page.screenshot({ path: path.join(options.folder, file), fullPage: true });
    console.log(`${file}: HTTP ${response.status()}, ${bytes} bytes, first paint ${Math.round(paint)} ms${wide > 0 ? `, ${wide} pixels too wide` : ''}`);
  }
  await context.close();
}

async function main() {
  fs.mkdirSync(options.folder, { recursive: true });
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  for (const kind of KINDS) await shots(browser, kind);
  await browser.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
