import { expect, test } from 'vitest';

import { ago, share, span, visible, word } from './format';

test.each([
  [0, '0 s'],
  [59.6, '1 min'],
  [61, '1 min 1 s'],
  [3600, '1 h'],
  [3661, '1 h 1 min'],
  [86400, '1 d'],
  [90061, '1 d 1 h'],
  [86400 * 40, '40 d'],
  [-5, '0 s'],
])('span of %d', (seconds, want) => {
  expect(span(seconds)).toBe(want);
});

test('nothing is hidden in a text', () => {
  expect(visible('a\u202eb\u0007\u200bc <b>\n')).toBe('a\\u202eb\\u0007\\u200bc <b>\\u000a');
  expect(visible('Grüße 👋 שלום')).toBe('Grüße 👋 שלום');
});

test('words, shares and ages', () => {
  expect(word('dead_lettered')).toBe('dead-lettered');
  expect(word('something_new')).toBe('something new');
  expect(share(1, 0)).toBe(0);
  expect(share(3, 2)).toBe(1);
  expect(ago('2026-11-03T12:00:00Z', Date.parse('2026-11-03T12:02:05Z'))).toBe('2 min 5 s ago');
});
