// What both scripts need: a browser, axe, pictures, and a way to say what was expected.

import { createRequire } from 'node:module';
import { join } from 'node:path';

export const facts = JSON.parse(process.env.AFTERBEEP_PAGE);
const require = createRequire(join(facts.modules, 'here.js'));
const { chromium } = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

/** How pages are looked at. */
const LOOKS = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1100, height: 900 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1100, height: 900 } },
  { name: 'narrow', colorScheme: 'light', viewport: { width: 375, height: 780 } },
  { name: 'narrow-dark', colorScheme: 'dark', viewport: { width: 375, height: 780 } },
];
/** How long anything may take. */
const PATIENCE = 30_000;

export function expect(is, what) {
  if (!is) throw new Error(`expected: ${what}`);
}

/** Runs `work` with a browser, whose complaints are failures. */
export async function browse(work) {
  // As root there is no sandbox; it only ever opens our own pages.
  const browser = await chromium.launch({ executablePath: facts.chromium, args: ['--no-sandbox'] });
  const complaints = [];
  const open = async (options = {}) => {
    const context = await browser.newContext({ baseURL: facts.url, ...options });
    // What axe brings in is not ours, so for it alone our own guard is no obstacle.
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    page.on('pageerror', (error) => complaints.push(`script: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) complaints.push(message.text());
    });
    return page;
  };
  try {
    await work(open);
    expect(complaints.length === 0, `no complaints, but: ${complaints.join('; ')}`);
  } finally {
    await browser.close();
  }
}

/** Takes a picture in every look, has axe look at each, and makes sure that nothing is cut off. */
export async function look(page, name, looks = LOOKS) {
  const before = page.viewportSize();
  for (const { name: how, colorScheme, viewport } of looks) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.setViewportSize(viewport);
    await page.screenshot({ path: join(facts.pictures, `${name}-${how}.png`), fullPage: true });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide <= viewport.width, `${name} fits ${viewport.width} px, but has ${wide}`);
    const violations = await violated(page);
    expect(violations.length === 0, `no violation in ${name}, ${how}: ${JSON.stringify(violations, null, 1)}`);
  }
  await page.setViewportSize(before);
}

async function violated(page) {
  // Scripts that are handed over through the debugger are outside the page's guard.
  await page.evaluate(require('node:fs').readFileSync(axe, 'utf8'));
  const found = await page.evaluate(() => globalThis.axe.run());
  return found.violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((it) => it.html.slice(0, 200)) }));
}
