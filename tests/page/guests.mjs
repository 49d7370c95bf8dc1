// The pages that links in letters open: they have no script, and need none.

import { browse, expect, facts, look } from './browser.mjs';

await browse(async (open) => {
  const page = await open();
  await page.goto(facts.listen);
  expect((await page.textContent('h1')).includes('Marie Dupont'), 'the caller is named');
  await page.waitForFunction(() => document.querySelector('audio').duration > 3.5);
  await look(page, 'listen');

  await page.goto(facts.unsubscribe);
  await look(page, 'unsubscribe');
  await page.click('form button');
  await page.waitForSelector('h1');
  await look(page, 'unsubscribed');

  const answer = await page.goto(facts.gone);
  expect(answer.status() === 404, 'a link that leads nowhere is not found');
  await look(page, 'gone');
});
