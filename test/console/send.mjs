// Sends as people do: a notification, a batch from a file, and by the command palette; and looks at what the overview says of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { api, broken, click, close, fresh, nasty, open, ownerKey, page, seen, sound, start, stop, until, visit } from './console.mjs';

before(open);
after(close);

const newest = async () => (await api('GET', '/v1/notifications?limit=1')).items[0];

test('a notification is written, checked by the server, previewed, tried and sent', async () => {
  for (const id of ['ada-1', 'ada-2']) await api('PUT', `/v1/devices/${id}`, { token: `token-${id}`, platform: id === 'ada-1' ? 'android' : 'ios', user_id: 'ada' });
  await visit('/console');
  await page.getByRole('link', { name: 'Send', exact: true }).click();
  await page.getByRole('heading', { name: 'Send', exact: true }).waitFor();
  const send = page.getByRole('button', { name: /^Send to/ });
  assert.equal(await send.getAttribute('aria-disabled'), 'true');
  await page.getByLabel('Title').fill(nasty);
  await page.getByLabel('Body').fill('It arrives tomorrow.');
  await page.getByLabel('Which, one a line').fill('ada\nnobody');
  // What is wrong the server says, beside the field.
  await page.getByLabel(/^Platforms/).fill('{"android": {"ttl": "soon"}}');
  await page.getByText(/must be seconds with up to nine decimals/).waitFor();
  assert.equal(await page.getByLabel(/^Platforms/).getAttribute('aria-invalid'), 'true');
  assert.match(await send.getAttribute('title'), /the server/);
  await page.getByLabel(/^Platforms/).fill('{"android": {');
  await page.getByText(/\(JSON\)/).waitFor();
  await page.getByLabel(/^Platforms/).fill('{"apns": {"payload": {"aps": {"alert": {"title": "On an iPhone"}}}}}');
  await page.getByLabel('Key of data 1').fill('order');
  await page.getByLabel('Value of data 1').fill('1042');
  await page.getByRole('button', { name: 'Send to 2 devices …' }).waitFor();
  await seen('Without a device, so that nothing is sent for them: 1 (nobody).');
  await page.locator('.look.ios', { hasText: 'On an iPhone' }).waitFor();
  await page.locator('.look.android', { hasText: '<script>alert(2)</script> \\u202eevil\\u0007' }).waitFor();
  await page.locator('.look.web', { hasText: /\d+ B of 4,096 B/ }).waitFor();
  assert.equal((await api('GET', '/v1/notifications')).items.length, 0, 'what is checked is stored');
  await sound('send');
  // A test goes to one device.
  await page.getByLabel('Test device').fill('ada-2');
  await click('Send a test');
  await page.getByRole('status').getByText('completed').waitFor();
  const tried = await newest();
  assert.deepEqual([tried.labels, tried.recipients, tried.counts.sent], [{ test: 'console' }, 1, 1]);
  // The whole goes to whom it says, once.
  await page.getByRole('button', { name: 'Send to 2 devices …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Send to 2' }).click();
  await page.getByRole('heading', { name: /alert\(2\)/ }).waitFor();
  const id = page.url().split('/').at(-1);
  const n = await until('sent', () => api('GET', `/v1/notifications/${id}`), (x) => x.state === 'completed');
  assert.deepEqual([n.counts.sent, n.counts.suppressed, n.message.data.order], [2, 1, '1042']);
  assert.equal(n.message.notification.title, nasty);
  assert.equal((await api('GET', '/v1/notifications')).items.length, 2);
});

test('a batch is made of a file, which is checked before anything is sent', async () => {
  await visit('/console/batches');
  await page.getByRole('link', { name: 'New batch' }).first().click();
  await page.getByRole('heading', { name: 'New batch' }).waitFor();
  const file = (text) => ({ name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
  await page.getByLabel('File', { exact: true }).setInputFiles(file('token,data.name\na,Ada\n,Bob\nc,Cy\na,Ada again\n'));
  const check = page.getByRole('button', { name: 'Check the file' });
  assert.equal(await check.getAttribute('title'), 'write the message first');
  await page.getByLabel('Title').fill('Spring sale');
  await page.getByLabel(/^At most so many/).fill('0');
  await page.locator('.verdict').getByText('valid').waitFor();
  await check.click();
  await page.getByRole('alert').getByText('/throttle/per_second').waitFor();
  await page.getByLabel(/^At most so many/).fill('50');
  await check.click();
  await seen('people.csv: 2 recipients, 1 named again and sent to once, 1 line refused.');
  await page.getByRole('region', { name: 'Lines that are refused' }).locator('tbody tr', { hasText: '2' }).first().waitFor();
  const first = await newest();
  assert.deepEqual([first.state, first.received, first.invalid, first.title], ['uploading', 4, 1, 'Spring sale']);
  await sound('new-batch');
  // A better file takes its place; the first batch is given up, and nothing of it was sent.
  await page.getByLabel('File', { exact: true }).setInputFiles(file('token\na\nb\nc\n'));
  await click('Check again');
  await seen('people.csv: 3 recipients, no line refused.');
  const gone = await api('GET', `/v1/batches/${first.id}`);
  assert.deepEqual([gone.state, gone.counts.sent], ['cancelled', 0]);
  // What is written after that is not what was uploaded.
  await page.getByLabel('Title').fill('Summer sale');
  await page.getByRole('button', { name: 'Start: send to 3 …' }).waitFor();
  assert.match(await page.getByRole('button', { name: /^Start/ }).getAttribute('title'), /changed since/);
  await page.getByLabel('Title').fill('Spring sale');
  await click('Start: send to 3 …');
  await page.getByRole('dialog').getByRole('button', { name: 'Send to 3' }).click();
  await page.getByRole('heading', { name: /^Spring sale/ }).waitFor();
  const id = page.url().split('/').at(-1);
  const b = await until('the batch', () => api('GET', `/v1/batches/${id}`), (x) => x.state === 'completed');
  assert.equal(b.counts.sent, 3);
  // One that is not wanted is discarded.
  await visit('/console/batches/new');
  await page.getByLabel('Title').fill('Never');
  await page.getByLabel('File', { exact: true }).setInputFiles({ name: 'x.ndjson', mimeType: 'text/plain', buffer: Buffer.from('{"token":"x"}\n') });
  await click('Check the file');
  await seen('x.ndjson: 1 recipient, no line refused.');
  await click('Discard');
  await until('the last', newest, (x) => x.title === 'Never' && x.state === 'cancelled');
});

test('the palette goes to screens and ids by the keyboard', async () => {
  await visit('/console/send');
  await page.getByRole('heading', { name: 'Send', exact: true }).waitFor();
  await page.keyboard.press('Control+k');
  const box = page.getByRole('combobox', { name: 'Command, or an id' });
  await box.waitFor();
  await sound('palette');
  await page.keyboard.type('dead');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Dead letters', level: 1 }).waitFor();
  await page.keyboard.press('Control+k');
  await box.waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Send', exact: true }).waitFor();
  const { id } = await newest();
  await page.keyboard.press('Control+k');
  await box.fill(id);
  await page.getByRole('option', { name: `Open ${id}` }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: /^Never/ }).waitFor();
  await page.keyboard.press('Control+k');
  await box.fill('zzz');
  await seen('Nothing has that name.');
  await page.keyboard.press('Escape');
  await box.waitFor({ state: 'detached' });
});

test('the overview has the last hour, as the server remembers it', async () => {
  const status = await until('the past', () => api('GET', '/v1/status'), (s) => (s.past?.ended.sent ?? []).reduce((a, b) => a + b, 0) === 6);
  assert.ok(status.past.time_to_fcm.p50_seconds > 0);
  const ended = Object.values(status.past.ended).flat().reduce((a, b) => a + b, 0);
  await visit('/console');
  const figures = page.getByRole('region', { name: 'Figures' });
  await figures.getByText(`6 of ${ended} that ended`, { exact: true }).waitFor();
  await figures.getByText(/^95 %: .* 99 %: /).waitFor();
  await figures.getByText(/\$0\.01|\$0\.00/).waitFor();
  const lanes = page.getByRole('region', { name: 'Lanes' }).first();
  await lanes.waitFor();
  const held = await api('POST', '/v1/notifications', { to: { tokens: ['sim-hang-9-a'] }, message: { data: { a: 'b' } }, priority: 'high' });
  await page.locator('tbody tr', { hasText: 'high' }).getByText(/ago$/).first().waitFor();
  await api('POST', `/v1/notifications/${held.id}/cancel`);
});

test('a viewer reads why nothing can be sent', async () => {
  await stop();
  await start({ BELFRY_API_KEY: ownerKey });
  const viewer = await api('POST', '/v1/api-keys', { role: 'viewer', name: 'a viewer' }, ownerKey);
  const p = await fresh();
  await visit('/console/send', p);
  await p.getByLabel('API key').fill(viewer.key);
  await click('Sign in', p);
  const send = p.getByRole('button', { name: /^Send to/ });
  await send.waitFor();
  await p.getByLabel('Title').fill('Hello');
  assert.match(await send.getAttribute('title'), /does not have the permission send/);
  await visit('/console/batches/new', p);
  const check = p.getByRole('button', { name: 'Check the file' });
  await check.waitFor();
  assert.match(await check.getAttribute('title'), /does not have the permission send/);
  await sound('new-batch-forbidden', p);
});

test('no page broke, opened a dialog or went against its policy', () => {
  assert.deepEqual(broken, []);
});
