// Uses the console as people do, in Chromium, and asks the API what came of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { api, broken, click, close, fresh, nasty, open, ownerKey, page, seen, sound, start, stop, until, visit } from './console.mjs';

let batch;
let sent;

before(async () => {
  await open();
  sent = await api('POST', '/v1/notifications', {
    to: { tokens: ['phone-1', 'sim-unregistered-1'] },
    message: { notification: { title: nasty, body: 'x' } },
    labels: { campaign: nasty.slice(0, 60) },
  });
  await api('POST', '/v1/notifications', {
    to: { tokens: Array.from({ length: 4 }, (_, i) => `sim-unavailable-1-${i}`) },
    message: { notification: { title: 'Price alert', body: 'x' } },
  });
  batch = await api('POST', '/v1/batches', {
    message: { notification: { title: 'Winter sale', body: 'x' } },
    throttle: { per_second: 20 },
  });
  await api('POST', `/v1/batches/${batch.id}/recipients`, Array.from({ length: 5000 }, (_, i) => `{"token":"sale-${i}"}`).join('\n'));
  await api('POST', `/v1/batches/${batch.id}/start`);
});

after(close);

test('the overview is live, without a reload', async () => {
  await visit('/');
  await page.getByRole('link', { name: 'Console' }).click();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.getByRole('link', { name: 'Winter sale' }).waitFor();
  await page.getByText('live', { exact: true }).waitFor();
  const another = await api('POST', '/v1/notifications', { to: { tokens: ['phone-2'] }, message: { data: { a: 'b' } } });
  await until('the other', () => api('GET', `/v1/notifications/${another.id}`), (n) => n.state === 'completed');
  await page.getByText(/in the last minute [1-9][\d,]* sent/).waitFor();
  await sound('overview');
});

test('a batch is paused, resumed and cancelled', async () => {
  await visit('/console/batches');
  await page.getByRole('link', { name: 'Winter sale' }).click();
  await page.getByRole('heading', { name: /Winter sale/ }).waitFor();
  await page.getByText('live', { exact: true }).waitFor();
  await sound('batch');
  for (const [button, confirm, state] of [
    ['Pause', /^Pause [\d,]+$/, 'paused'],
    ['Resume', /^Resume [\d,]+$/, 'sending'],
    ['Cancel', /^Cancel [\d,]+$/, 'cancelled'],
  ]) {
    await page.locator('main').getByRole('button', { name: button, exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: confirm }).click();
    await until(button, () => api('GET', `/v1/batches/${batch.id}`), (b) => b.state === state || (state === 'sending' && b.state === 'accepted'));
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('heading', { name: new RegExp(state === 'sending' ? 'sending|accepted' : state) }).waitFor();
  }
  // What cannot be done now says why, and does nothing.
  const pause = page.locator('main').getByRole('button', { name: 'Pause', exact: true });
  assert.equal(await pause.getAttribute('aria-disabled'), 'true');
  assert.equal(await pause.getAttribute('title'), 'it has ended');
  const report = await page.evaluate(() => fetch(document.querySelector('a[download]').href).then((r) => r.text()));
  assert.match(report, /"code":/);
});

test('the list of batches', async () => {
  await visit('/console/batches?state=cancelled');
  await page.getByRole('link', { name: 'Winter sale' }).waitFor();
  assert.equal(await page.getByLabel('State').inputValue(), 'cancelled');
  await page.getByLabel('Title has').fill('no such title');
  await click('Filter');
  await seen('No batch matches the filter.');
  assert.match(page.url(), /title=no/);
  await page.goBack();
  await page.getByRole('link', { name: 'Winter sale' }).waitFor();
  await sound('batches');
});

test('a notification is found by its id, and tells why a device did not get it', async () => {
  await until('sent', () => api('GET', `/v1/notifications/${sent.id}`), (n) => n.state === 'completed');
  await visit('/console/notifications');
  await page.getByRole('textbox', { name: 'Id', exact: true }).fill(sent.id);
  await click('Open');
  // The label and title of an attacker are texts, with everything visible that would hide or turn something.
  await page.getByRole('heading', { name: /<script>alert\(2\)<\/script> \\u202eevil\\u0007/ }).waitFor();
  assert.equal(await page.locator('main img, main script').count(), 0);
  await sound('notification');
  await page.getByLabel('Class').selectOption('permanent');
  await page.locator('tbody tr', { hasText: 'fcm.unregistered' }).getByRole('link').click();
  await page.getByRole('heading', { name: 'Delivery trace' }).waitFor();
  await page.getByRole('list', { name: /Steps of the delivery/ }).getByText('fcm.unregistered').first().waitFor();
  await sound('trace');
  await visit('/console/notifications/ntf_01890a5d-ac96-774b-bcce-b302099a8057');
  await seen('There is no such thing');
  await visit('/console/notifications');
  await page.getByRole('link', { name: 'Price alert' }).waitFor();
  await sound('notifications');
});

test('dead letters are simulated, replayed and discarded', async () => {
  const parked = async () => (await api('GET', '/v1/dead-letters/stats')).by_state.parked ?? 0;
  await visit('/console/dead-letters');
  await until(
    'letters',
    async () => {
      await click('Fetch from the queues');
      return parked();
    },
    (n) => n === 4,
  );
  await page.locator('tbody').getByRole('link').first().waitFor();
  await sound('dead-letters');
  await page.locator('tbody').getByRole('link').first().click();
  await page.getByRole('heading', { name: 'Letters' }).waitFor();
  await page.locator('tbody tr').nth(3).waitFor();
  await sound('letters');
  // One alone is discarded, with a reason.
  await page.locator('tbody').getByRole('link').first().click();
  await page.getByRole('heading', { name: 'Dead letter' }).waitFor();
  await page.getByText('fcm.unavailable').first().waitFor();
  const id = page.url().split('/').at(-1);
  await sound('letter');
  await click('Discard 1 …');
  const yes = page.getByRole('dialog').getByRole('button', { name: 'Discard 1' });
  assert.equal(await yes.getAttribute('title'), 'say why');
  await sound('discard');
  await page.getByLabel('Reason').fill('a test');
  await yes.click();
  const gone = await until('the letter', () => api('GET', `/v1/dead-letters/${id}`), (l) => l.state === 'discarded');
  assert.equal(gone.reason, 'a test');
  // The others go again, after a simulation.
  await visit('/console/dead-letters');
  await page.locator('tbody').getByRole('link').first().click();
  // With edits first: what the server refuses is said beside the form, and what it takes is shown as a difference.
  await click('Edit and simulate …');
  const edit = page.getByRole('dialog').getByRole('button', { name: 'Simulate with the edits' });
  assert.equal(await edit.getAttribute('title'), 'nothing is changed yet');
  await page.getByLabel('More, as a JSON Patch').fill('[{"op":"turn","path":"/data"}]');
  await edit.click();
  await page.getByRole('dialog').getByRole('alert').waitFor();
  await sound('edits');
  await page.getByLabel('More, as a JSON Patch').fill('');
  await page.getByLabel('New title').fill(nasty);
  await edit.click();
  await page.getByRole('heading', { name: 'Simulation of a replay' }).waitFor();
  const diff = page.getByRole('region', { name: 'The difference' });
  assert.match(await diff.innerText(), /- .*"title": "Price alert"[\s\S]*\+ .*"title": "<img src=x onerror/);
  assert.equal(await diff.locator('img, script').count(), 0);
  await sound('simulation-edited');
  await visit('/console/dead-letters');
  await page.locator('tbody').getByRole('link').first().click();
  await click('Simulate a replay of 3');
  await page.getByRole('heading', { name: 'Simulation of a replay' }).waitFor();
  await sound('simulation');
  await click('Replay 3 …');
  await page.getByRole('dialog').getByRole('button', { name: 'Replay 3' }).click();
  await page.getByRole('heading', { name: /^Replay/ }).waitFor();
  await page.getByRole('heading', { name: /completed/ }).waitFor();
  const run = await api('GET', `/v1/replays/${page.url().split('/').at(-1)}`);
  assert.deepEqual([run.state, run.sent, run.refailed], ['completed', 3, 0]);
  assert.equal(await parked(), 0);
  await sound('replay');
  await visit('/console/replays');
  await page.locator('tbody').getByRole('link').first().waitFor();
  await sound('replays');
});

test('sending is paused and goes on', async () => {
  await visit('/console/system');
  await page.getByRole('region', { name: 'Processes' }).first().waitFor();
  await click('Pause sending …');
  await page.getByLabel('Why, for those who find it paused').fill(nasty);
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  const list = await until('the pause', () => api('GET', '/v1/pauses'), (l) => l.items.length === 1);
  assert.deepEqual([list.items[0].scope, list.items[0].reason], ['everything', nasty]);
  await page.getByText('alert(1)').first().waitFor();
  await sound('system');
  await click('Lift the pause of everything');
  await page.getByRole('dialog').getByRole('button', { name: 'Lift it' }).click();
  await until('no pause', () => api('GET', '/v1/pauses'), (l) => l.items.length === 0);
  await seen('Nothing is paused.');
});

test('the keyboard alone reaches a screen and its controls', async () => {
  await visit('/console');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), 'Skip to the screen');
  for (let i = 0; i < 30; i++) {
    if ((await page.evaluate(() => document.activeElement.textContent)) === 'System') break;
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'System' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
});

test('while the server is away it says so, and goes on by itself', async () => {
  await visit('/console');
  await page.getByText('live', { exact: true }).waitFor();
  await stop();
  await page.getByText('reconnecting', { exact: true }).waitFor();
  await seen('The server does not answer');
  await page.getByRole('link', { name: /wait for a decision/ }).waitFor(); // what was known stays
  await start();
  await page.getByText('live', { exact: true }).waitFor();
  await page.getByText('The server does not answer').waitFor({ state: 'detached' });
});

test('with keys: sign-in, what a viewer cannot do, and a key that is revoked', async () => {
  await stop();
  await start({ BELFRY_API_KEY: ownerKey });
  const viewer = await api('POST', '/v1/api-keys', { role: 'viewer', name: 'a viewer' }, ownerKey);
  const p = await fresh();
  await visit('/console/dead-letters/letters?state=parked', p);
  await p.getByLabel('API key').fill('wrong');
  await click('Sign in', p);
  await seen('Not let in', p);
  await sound('sign-in', p);
  await p.getByLabel('API key').fill(viewer.key);
  await click('Sign in', p);
  await p.getByRole('heading', { name: 'Letters' }).waitFor(); // where the link led
  const cookie = (await p.context().cookies()).find((c) => c.name === 'belfry_console');
  assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, 'Strict']);
  assert.equal(await p.evaluate(() => document.cookie), '');
  const simulate = p.getByRole('button', { name: /^Simulate/ });
  await simulate.waitFor();
  assert.match(await simulate.getAttribute('title'), /does not have the permission replay/);
  await sound('forbidden', p);
  // Neither the page's own call nor one without the token does anything.
  const status = await p.evaluate(() =>
    fetch('/v1/simulations', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"filter":{},"all":true}' }).then((r) => r.status),
  );
  assert.equal(status, 403);
  await visit('/console', p);
  await p.getByRole('heading', { name: 'Overview' }).waitFor();
  await api('DELETE', `/v1/api-keys/${viewer.api_key.id}`, undefined, ownerKey);
  await p.getByLabel('API key').waitFor();
  // The operator gets in, acts with the token, and out again.
  await p.getByLabel('API key').fill(ownerKey);
  await click('Sign in', p);
  await p.getByRole('heading', { name: 'Overview' }).waitFor();
  await visit('/console/system', p);
  await click('Pause sending …', p);
  await p.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
  await until('the pause', () => api('GET', '/v1/pauses', undefined, ownerKey), (l) => l.items.length === 1);
  await click('Sign out', p);
  await p.getByLabel('API key').waitFor();
  assert.equal((await p.context().cookies()).length, 0);
});

test('no page broke, opened a dialog or went against its policy', () => {
  assert.deepEqual(broken, []);
});
