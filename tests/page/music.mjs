// Hold music, by somebody who looks after it: log in, make a class, drop files, hear them, name them, put
// them in order, take one away, and go on meanwhile; then the same without scripts.

import { join } from 'node:path';

import { browse, expect, facts, look } from './browser.mjs';

const MORNING = 'Morning over the lake';
const WALK = 'A slow walk home';
const file = (name) => join(facts.files, name);
const row = (page, name) => page.locator('.track', { has: page.getByRole('heading', { name, exact: true }) });
const names = (page) => page.locator('.track h3:not(.sheet h3)').allTextContents();

/** Does something that the script tells the server, and looks whether it was kept. */
async function settled(page, wanted, work) {
  await Promise.all([page.waitForResponse('**/order'), work()]);
  await page.waitForFunction(
    (all) => JSON.stringify([...document.querySelectorAll('.track')].map((it) => it.dataset.name)) === all,
    JSON.stringify(wanted),
  );
  await page.reload();
  const found = await names(page);
  expect(JSON.stringify(found) === JSON.stringify(wanted), `${wanted} is kept, not ${found}`);
}

async function logIn(page) {
  await page.goto('/music');
  expect(page.url().endsWith('/login'), 'a stranger is asked who they are');
  await look(page, 'login');
  await page.getByLabel('Email address').fill(facts.email);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Log in' }).click();
  expect((await page.getByRole('alert').textContent()).includes('do not go together'), 'a wrong one is refused');
  await look(page, 'login-refused');
  await page.getByLabel('Password').fill(facts.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.waitForURL('**/music');
}

async function makeClass(page) {
  await look(page, 'music-none');
  await page.getByRole('button', { name: 'Make a class' }).click();
  const name = await page.getByLabel('Name', { exact: true }).inputValue();
  expect(name === 'default', `a first name is proposed: ${name}`);
  await look(page, 'music-new');
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.waitForURL('**/music/default*');
  await look(page, 'music-empty');
}

/** Drops files on the field, and follows them until callers hear them. */
async function upload(page) {
  await page.evaluate(() => {
    globalThis.seen = { sent: [], prepared: [], spoken: [] };
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        const element = target instanceof Element ? target : target.parentElement;
        const live = element?.closest('[role=status], [role=alert], [aria-live]');
        if (live) globalThis.seen.spoken.push(live.textContent);
      }
      for (const it of document.querySelectorAll('.arriving progress')) globalThis.seen.sent.push(it.value);
      for (const it of document.querySelectorAll('.track progress')) globalThis.seen.prepared.push(it.value);
    }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  });
  await page.setInputFiles('#files', [file(`${MORNING}.wav`), file(`${WALK}.wav`), file('index.mp3')]);
  await row(page, MORNING).waitFor();
  await page.locator('.track.waiting').first().waitFor();
  await look(page, 'music-preparing', [{ name: 'light', colorScheme: 'light', viewport: { width: 1100, height: 900 } }]);
  await page.waitForFunction(() => document.querySelectorAll('.track.ready').length === 2);
  await page.locator('.track.failed').waitFor();
  const { sent, prepared, spoken } = await page.evaluate(() => globalThis.seen);
  expect(sent.some((it) => it > 0), `it shows how much is sent: ${sent}`);
  expect(prepared.length > 0, 'it shows that tracks are being prepared');
  const problem = await page.locator('.track.failed .player p').textContent();
  expect(problem.includes('is a web page, not audio; save the sound file itself'), `it says why: ${problem}`);
  for (const it of ['3 files are being sent.', `${WALK}.wav is here and is being prepared.`]) {
    expect(spoken.includes(it), `what happens is said to those who do not see it: ${spoken}`);
  }
  expect(!spoken.some((it) => it.includes('%')), `how much has gone is not read aloud: ${spoken}`);
  await page.waitForFunction(() => !document.querySelector('.arriving li'));
  await look(page, 'music');
}

/** Hears the beginning of a track, and jumps. */
async function hear(page) {
  const track = row(page, MORNING);
  const sound = await track.locator('audio').getAttribute('src');
  const wav = await (await page.request.get(sound)).body();
  expect(wav.subarray(0, 4).toString() === 'RIFF' && wav.readUInt32LE(24) === 8000, 'it is heard at 8 kHz');
  await track.getByRole('button', { name: `Play ${MORNING}` }).click();
  await page.waitForFunction(() => document.querySelector('audio').currentTime > 0.5);
  await track.getByRole('button', { name: `Pause ${MORNING}` }).waitFor();
  await track.getByRole('slider').fill('20');
  await page.waitForFunction(() => document.querySelector('audio').currentTime > 20.3);
  await look(page, 'music-playing');
  await track.getByRole('button', { name: `Pause ${MORNING}` }).click();
  await page.waitForFunction(() => document.querySelector('audio').paused);
}

async function rename(page, from, to) {
  await row(page, from).getByRole('button', { name: `Edit ${from}` }).click();
  const sheet = page.getByRole('dialog', { name: `Edit ${from}` });
  await sheet.getByLabel('Name').fill(to);
  await sheet.getByLabel('Description').fill('Piano and strings');
  await sheet.getByLabel('Licence note').fill('Ours, 2026');
  await look(page, 'music-edit');
  await sheet.getByRole('button', { name: 'Save' }).click();
  await row(page, to).waitFor();
  const about = await row(page, to).locator('.what .small').textContent();
  expect(about.startsWith('Piano and strings · Ours, 2026 · '), `what was noted is shown: ${about}`);
}

/** By keys, by buttons and by hand; each is kept. */
async function order(page, [first, second, third]) {
  await settled(page, [second, first, third], () => row(page, first).locator('.handle').press('ArrowDown'));
  const up = row(page, first).getByRole('button', { name: `Move ${first} up` });
  await up.focus();
  await settled(page, [first, second, third], () => page.keyboard.press('Enter'));
  const [from, to] = [row(page, third).locator('.handle'), row(page, first)];
  await from.scrollIntoViewIfNeeded();
  await from.hover();
  await page.mouse.down();
  const { x, y } = await to.boundingBox();
  await page.mouse.move(x + 12, y + 30, { steps: 5 });
  await page.mouse.move(x + 12, y + 4, { steps: 5 });
  await settled(page, [third, first, second], () => page.mouse.up());
}

async function remove(page, name) {
  await row(page, name).getByRole('button', { name: `Delete ${name}` }).click();
  const sheet = page.getByRole('dialog', { name: `Delete ${name}?` });
  await look(page, 'music-delete', [{ name: 'light', colorScheme: 'light', viewport: { width: 1100, height: 900 } }]);
  await sheet.getByRole('button', { name: 'Delete' }).click();
  await row(page, name).waitFor({ state: 'detached' });
  await page.waitForLoadState();
}

/** Keeps back what the page asks for, until the answered function is called. */
async function hold(page, pattern) {
  let go;
  const held = new Promise((resolve) => { go = resolve; });
  await page.route(pattern, async (route) => {
    await held;
    await route.continue();
  });
  return async () => {
    go();
    await page.unroute(pattern);
  };
}

/** Goes on using the page while a file is on its way, and while it is being prepared. */
async function meanwhile(page, name) {
  const [arrive, prepare] = [await hold(page, '**/tracks'), await hold(page, '**/state')];
  await page.setInputFiles('#files', file(`${name}.wav`));
  const arriving = page.locator('.arriving li', { hasText: name });
  await arriving.waitFor();
  const random = page.getByRole('switch', { name: 'Random order' });
  for (const is of ['true', 'false']) {
    await random.click();
    await random.and(page.locator(`[aria-checked=${is}]`)).waitFor();
    expect(await random.evaluate((it) => it === document.activeElement), 'the hand stays at the switch');
    expect((await arriving.count()) === 1, 'a switch stops no file');
  }
  const asked = page.waitForEvent('dialog').then(async (dialog) => {
    await dialog.dismiss();
    expect(dialog.type() === 'beforeunload', `it is asked before the page is left, not ${dialog.type()}`);
  });
  await Promise.all([asked, page.getByRole('button', { name: 'Log out' }).click({ noWaitAfter: true })]);
  expect((await arriving.count()) === 1, 'the file is still on its way');
  await arrive();
  await row(page, name).getByRole('button', { name: `Edit ${name}` }).click();
  const sheet = page.getByRole('dialog', { name: `Edit ${name}` });
  const licence = sheet.getByLabel('Licence note');
  await licence.fill('Ours,');
  await prepare();
  await row(page, name).and(page.locator('.ready')).waitFor();
  await page.keyboard.press('End');
  await page.keyboard.type(' 2026');
  const typed = await licence.inputValue();
  expect(typed === 'Ours, 2026', `who types is not disturbed when a track is ready: ${typed}`);
  await sheet.getByRole('button', { name: 'Cancel' }).click();
}

async function toggle(page, name, is) {
  const found = page.getByRole('switch', { name });
  await found.click();
  await found.and(page.locator(`[aria-checked=${is}]`)).waitFor();
  await page.waitForURL('**done=saved');
}

async function greet(page) {
  await page.getByLabel('Spoken from a text').check();
  await page.getByLabel('Text', { exact: true }).fill('Thank you for calling. Somebody will be with you shortly.');
  await look(page, 'music-greeting', [{ name: 'light', colorScheme: 'light', viewport: { width: 1100, height: 900 } }]);
  await page.getByRole('button', { name: 'Save greeting' }).click();
  await page.getByRole('button', { name: 'Play the introductory greeting' }).click();
  await page.waitForFunction(() => document.querySelector('.alone audio').currentTime > 0.3);
  await page.getByLabel('A file', { exact: true }).check();
  await page.getByLabel('Sound file', { exact: true }).setInputFiles(file('index.mp3'));
  await page.getByRole('button', { name: 'Save greeting' }).click();
  const problem = await page.getByRole('alert').textContent();
  expect(problem.includes('is a web page, not audio'), `it says why: ${problem}`);
  const chosen = await page.getByLabel('Sound file', { exact: true }).evaluate((it) => it.files.length);
  expect(chosen === 1, 'a refusal takes nothing away that was chosen');
  await look(page, 'music-refused');
  await page.getByLabel('Sound file', { exact: true }).setInputFiles(file(`${WALK}.wav`));
  await page.getByRole('button', { name: 'Save greeting' }).click();
  await page.getByText('From a file').waitFor();
  await page.getByLabel('Off', { exact: true }).check();
  await page.getByRole('button', { name: 'Save greeting' }).click();
  await page.locator('.alone').waitFor({ state: 'detached' });
  await page.waitForLoadState();
}

/** All of it again, with plain forms. */
async function withoutScripts(open, storageState) {
  const page = await open({ javaScriptEnabled: false, storageState });
  await page.goto('/music/default');
  const before = await names(page);
  await page.setInputFiles('#files', file(`${WALK}.wav`));
  await page.getByRole('button', { name: 'Upload' }).click();
  expect((await names(page)).length === before.length + 1, 'a plain form takes a file');
  await row(page, before[1]).getByRole('button', { name: `Move ${before[1]} up` }).click();
  expect((await names(page))[0] === before[1], 'a plain button moves a track');
  await row(page, before[1]).getByRole('button', { name: `Delete ${before[1]}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
  expect(!(await names(page)).includes(before[1]), 'a plain form deletes a track');
  await page.screenshot({ path: join(facts.pictures, 'music-without-scripts.png'), fullPage: true });
}

await browse(async (open) => {
  const page = await open();
  await logIn(page);
  await makeClass(page);
  await upload(page);
  await hear(page);
  await rename(page, WALK, 'Evening');
  await remove(page, 'index');
  await meanwhile(page, WALK);
  await order(page, [MORNING, 'Evening', WALK]);
  await toggle(page, 'Random order', 'true');
  await toggle(page, 'On', 'false');
  await greet(page);
  await look(page, 'music-full');
  await withoutScripts(open, await page.context().storageState());
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL('**/login');
  await page.goto('/music');
  expect(page.url().endsWith('/login'), 'who has logged out is a stranger');
});
