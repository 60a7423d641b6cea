import { expect, test } from 'vitest';

import { editsOf } from './edits';

test('the edits of a form', () => {
  expect(editsOf('', '', '', '')).toBe('nothing is changed yet');
  expect(editsOf('', '', '{', '')).toBe('the patch is no JSON');
  expect(editsOf('', '', '{}', '')).toBe('a JSON Patch is an array of operations');
  expect(editsOf('', '', '[]', '1h')).toEqual({ expire_after: '1h' });
  expect(editsOf('T', '', '[{"op":"remove","path":"/data"}]', '')).toEqual({
    patch: [
      { op: 'add', path: '/notification/title', value: 'T' },
      { op: 'remove', path: '/data' },
    ],
  });
});
