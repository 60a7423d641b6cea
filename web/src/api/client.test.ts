import { expect, test } from 'vitest';

import { address, Once, Refused } from './client';

test('an address has its placeholders filled, and only what is given', () => {
  expect(address('/v1/notifications/{id}/deliveries/{recipient}', { id: 'ntf_1', recipient: 'token:a/b?c' })).toBe(
    '/v1/notifications/ntf_1/deliveries/token%3Aa%2Fb%3Fc',
  );
  expect(address('/v1/notifications', {}, { state: 'held', title: '', label: ['a=b', 'c'], limit: 0, cursor: undefined })).toBe(
    '/v1/notifications?state=held&label=a%3Db&label=c&limit=0',
  );
});

test('what the server said is what is shown', () => {
  expect(new Refused(403, { detail: 'this needs the permission replay', title: 'x' }).message).toBe(
    'this needs the permission replay',
  );
  expect(new Refused(502, {}).message).toBe('the server answered 502');
});

test('a body that is sent again has the same key, a corrected one another', () => {
  const once = new Once();
  const first = once.of({ name: 'zoo!' });
  expect(once.of({ name: 'zoo!' })).toBe(first);
  expect(once.of({ name: 'zoo' })).not.toBe(first);
  expect(new Once().of({ name: 'zoo!' })).not.toBe(first);
});
