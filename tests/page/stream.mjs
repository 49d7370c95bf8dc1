// A live stream, by somebody who looks after it: its page says whether it is heard, and what is wrong with it.

import { browse, expect, facts, look } from './browser.mjs';

const LIGHT = [{ name: 'light', colorScheme: 'light', viewport: { width: 1100, height: 900 } }];

/** Waits until the page says this of the stream, in words and by the colour of its lamp. */
async function says(page, state, words) {
  await page.waitForFunction(
    ([is, part]) => {
      const stream = document.getElementById('stream');
      return stream.className === `stream ${is}` && stream.textContent.includes(part);
    },
    [state, words],
  );
}

/** Listens as a phone system does, until the answered function is called. */
async function listen() {
  const hanging = new AbortController();
  const answer = await fetch(`${facts.url}/moh/radio.wav`, { signal: hanging.signal });
  expect(answer.ok, `it can be heard: ${answer.status}`);
  const reading = (async () => {
    try {
      for await (const some of answer.body) if (!some.length) break;
    } catch { /* Hung up. */ }
  })();
  return async () => {
    hanging.abort();
    await reading;
  };
}

await browse(async (open) => {
  const page = await open();
  await page.goto('/music/radio');
  await page.getByLabel('Email address').fill(facts.email);
  await page.getByLabel('Password').fill(facts.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForURL('**/music**');
  await page.goto('/music/radio');
  const address = await page.getByLabel('Address of the stream').inputValue();
  expect(address === facts.stream, `its address is shown: ${address}`);
  await says(page, 'still', 'Nobody listens at the moment');

  const hangUp = await listen();
  await says(page, 'plays', 'Callers hear it.');
  await look(page, 'music-stream');
  // Where the server says nothing for a while, that is said, and it is asked again.
  await page.route('**/state', (route) => route.fulfill({ status: 429 }));
  await says(page, 'still', 'is not known');
  const stale = page.locator('.stale');
  expect((await stale.textContent()).includes('The server does not answer'), 'it says why nothing is known');
  await look(page, 'music-stale', LIGHT);
  await page.unroute('**/state');
  await says(page, 'plays', 'Callers hear it.');
  expect(await stale.isHidden(), 'what is shown is not doubted any more');
  await fetch(facts.switch);
  await says(page, 'silent', 'It broke off');
  await says(page, 'silent', 'so callers hear the tracks');
  await look(page, 'music-stream-off', LIGHT);
  // Whoever opens the page now is told the same, with scripts or without.
  const plain = await open({ javaScriptEnabled: false, storageState: await page.context().storageState() });
  await plain.goto('/music/radio');
  const told = await plain.locator('#stream').textContent();
  expect(told.includes('It broke off'), `it says so at once: ${told}`);
  await fetch(facts.switch);
  await says(page, 'plays', 'Callers hear it.');
  await fetch(facts.switch);
  await says(page, 'silent', 'Nothing is to be heard in it');
  await hangUp();
});
