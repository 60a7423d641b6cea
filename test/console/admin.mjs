// Uses what administers the server: devices, tenants, keys, credentials and the audit log.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { api, broken, click, close, fresh, nasty, open, ownerKey, page, seen, sound, until, visit } from './console.mjs';

const hidden = nasty.replace(/[\u202e\u0007]/g, ''); // what user ids may have of it
const owner = (method, path, body) => api(method, path, body, ownerKey);
const dialog = (p = page) => p.getByRole('dialog');
const quarantined = 'dead-phone';
let zoo; // a key of another tenant

async function signIn(key, p = page) {
  await visit('/console', p);
  await p.getByLabel('API key').fill(key);
  await click('Sign in', p);
  await p.getByRole('heading', { name: 'Overview' }).waitFor();
}

before(async () => {
  // Google is behind a proxy that does not answer: nothing of this leaves the machine.
  await open({ BELFRY_API_KEY: ownerKey, BELFRY_SEAL_KEY: randomBytes(32).toString('base64'), HTTPS_PROXY: 'http://127.0.0.1:9' });
  await owner('PUT', `/v1/devices/${quarantined}`, { token: 'sim-unregistered-9', user_id: hidden, platform: 'ios', attributes: { note: hidden } });
  await owner('PUT', '/v1/devices/live-phone', { token: 'phone-9', user_id: 'u-9' });
  await owner('POST', '/v1/notifications', {
    to: { tokens: ['sim-unregistered-9', 'phone-9'] },
    message: { notification: { title: 'Hello', body: 'x' } },
  });
  await until('the quarantine', () => owner('GET', `/v1/devices/${quarantined}`), (d) => d.state === 'quarantined');
  await signIn(ownerKey);
});

after(close);

test('devices: found by user and by id, restored and removed', async () => {
  await visit(`/console/devices?user_id=${encodeURIComponent(hidden)}`);
  await page.getByRole('link', { name: quarantined }).waitFor();
  assert.equal(await page.getByLabel('User').inputValue(), hidden);
  assert.equal(await page.getByRole('link', { name: 'live-phone' }).count(), 0);
  assert.equal(await page.locator('main img, main script').count(), 0);
  await click('Show all');
  await page.getByRole('link', { name: 'live-phone' }).waitFor();
  await sound('devices');
  await page.getByLabel('Device id').fill(quarantined);
  await click('Open');
  await page.getByRole('heading', { name: /dead-phone quarantined/ }).waitFor();
  await seen('fcm.unregistered');
  await sound('device');
  await click('Restore');
  await dialog().getByRole('button', { name: 'Restore 1 device' }).click();
  await dialog().waitFor({ state: 'detached' });
  await page.getByRole('heading', { name: /dead-phone active/ }).waitFor();
  assert.equal((await owner('GET', `/v1/devices/${quarantined}`)).state, 'active');
  assert.equal(await page.getByRole('button', { name: 'Restore' }).getAttribute('title'), 'it is not in quarantine');
  await click('Remove');
  await dialog().getByRole('button', { name: 'Remove 1 device' }).click();
  await page.getByRole('heading', { name: 'Devices' }).waitFor();
  await assert.rejects(owner('GET', `/v1/devices/${quarantined}`), /404/);
  await visit('/console/devices/no-such-device');
  await seen('There is no such thing');
});

test('tenants: one is made, gets a key, which is rotated and revoked', async () => {
  await visit('/console/tenants');
  await click('New tenant …');
  await dialog().getByLabel(/^Name/).fill('Not A Name');
  await dialog().getByRole('button', { name: 'Make it' }).click();
  await dialog().getByText('/name').waitFor(); // the server's own rule
  await sound('tenant-new');
  await dialog().getByLabel(/^Name/).fill('zoo');
  await dialog().getByLabel('About it').fill(nasty.replace(/[\u0007]/g, ''));
  await dialog().getByRole('button', { name: 'Make it' }).click();
  await page.getByRole('heading', { name: 'Tenant zoo' }).waitFor();
  assert.equal((await owner('GET', '/v1/tenants/zoo')).name, 'zoo');
  await visit('/console/tenants');
  await page.getByRole('link', { name: 'zoo', exact: true }).waitFor();
  await sound('tenants');
  await page.getByRole('link', { name: 'zoo', exact: true }).click();
  await seen('It has no key: nobody can use it.');
  await click('New key …');
  await dialog().getByLabel('Name, for people').fill('the keeper <b>');
  await dialog().getByLabel('Role').selectOption('owner');
  await dialog().getByRole('button', { name: 'Make it' }).click();
  zoo = await dialog().getByLabel('Key').inputValue();
  assert.match(zoo, /^blf_/);
  await dialog().getByRole('button', { name: 'I have kept it' }).click();
  await dialog().waitFor({ state: 'detached' });
  assert.ok(!(await page.content()).includes(zoo), 'the key is still on the page');
  await click('Rotate the keeper <b>');
  await dialog().getByRole('button', { name: 'Make its successor' }).click();
  const second = await dialog().getByLabel('Key').inputValue();
  assert.notEqual(second, zoo);
  await dialog().getByRole('button', { name: 'I have kept it' }).click();
  await page.getByRole('button', { name: /^Revoke/ }).nth(1).waitFor();
  await sound('tenant');
  const before = (await owner('GET', '/v1/api-keys?tenant=zoo')).items;
  assert.equal(before.length, 2);
  await page.getByRole('button', { name: /^Revoke/ }).nth(1).click();
  await dialog().getByRole('button', { name: 'Revoke 1 key' }).click();
  await dialog().waitFor({ state: 'detached' });
  const states = (await owner('GET', '/v1/api-keys?tenant=zoo')).items.map((k) => k.state);
  assert.deepEqual(states.sort(), ['live', 'revoked']);
});

test('a credential is checked before it is used', async () => {
  await visit('/console/tenants/zoo');
  await click('Upload a credential for the app default');
  const upload = (text) =>
    dialog().getByLabel('Service-account key file').setInputFiles({ name: 'key.json', mimeType: 'application/json', buffer: Buffer.from(text) });
  await upload('no JSON');
  await dialog().locator('button[title*="no JSON"]').waitFor(); // the file is read beside
  await upload('{"type":"service_account"}');
  await dialog().locator('button.danger[aria-disabled="false"]').waitFor();
  await dialog().getByRole('button', { name: 'Check and use it' }).click();
  await dialog().getByText(/private_key is missing/).waitFor();
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await upload(
    JSON.stringify({
      type: 'service_account',
      project_id: 'zoo-push',
      private_key_id: 'abc',
      private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      client_email: 'push@zoo-push.iam.gserviceaccount.com',
      token_uri: 'https://oauth2.googleapis.com/token',
    }),
  );
  await dialog().getByRole('button', { name: 'Check and use it' }).click();
  await dialog().waitFor({ state: 'detached' });
  await seen('push@zoo-push.iam.gserviceaccount.com');
  await seen('unchecked');
  assert.equal((await owner('GET', '/v1/tenants/zoo/apps/default/credential')).project, 'zoo-push');
  assert.ok(!(await page.content()).includes('PRIVATE KEY'));
});

test('the audit log tells who did all that', async () => {
  await visit('/console/audit');
  await page.getByRole('cell', { name: 'restoreDevice' }).waitFor();
  await sound('audit');
  await page.getByLabel('Action').fill('deleteDevice');
  await click('Filter');
  await page.getByRole('cell', { name: 'restoreDevice' }).waitFor({ state: 'detached' });
  await page.getByRole('cell', { name: quarantined }).waitFor();
  assert.match(page.url(), /action=deleteDevice/);
  await page.getByText('more', { exact: true }).first().click();
  await seen(/"request_id": "/);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: /^export of/ }).click()]);
  assert.match(download.suggestedFilename(), /^audit-default/);
});

test('another tenant sees nothing of all that, and a viewer changes nothing', async () => {
  const p = await fresh();
  await signIn(zoo, p);
  await visit('/console/devices', p);
  await seen('No device is known yet', p);
  await visit('/console/devices/live-phone', p);
  await seen('There is no such thing', p);
  await visit('/console/tenants', p);
  await seen('Other tenants are for the operator of the platform.', p);
  assert.match(await p.getByRole('button', { name: 'New tenant …' }).getAttribute('title'), /permission platform/);
  await visit('/console/tenants/default', p);
  await seen('It is not your tenant', p);
  await visit('/console/audit?tenant=default', p);
  await p.getByRole('alert').waitFor();
  await visit('/console/notifications', p);
  await seen('There is no notification yet.', p);
  await visit('/console/tenants/zoo', p);
  await p.getByRole('cell', { name: 'the keeper <b>' }).first().waitFor();
  const viewer = await api('POST', '/v1/api-keys', { role: 'viewer', name: 'looks on' }, zoo);
  const v = await fresh();
  await signIn(viewer.key, v);
  await visit('/console/tenants/zoo', v);
  assert.match(await v.getByRole('button', { name: 'New key …' }).getAttribute('title'), /permission admin/);
  await visit('/console/audit', v);
  await seen(/does not have the permission audit/, v);
  await sound('tenant-forbidden', v);
});

test('no page broke, opened a dialog or went against its policy', () => {
  assert.deepEqual(broken, []);
});
