import { expect, test } from 'vitest';

import { classOf, hour, successOf, Throughput } from './throughput';

test('outcomes are counted by second, and the one that is not over is left out', () => {
  const t = new Throughput(100);
  t.add(101, { sent: 3, 'fcm.unregistered': 2 });
  t.add(101, { sent: 1 });
  t.add(103, { sent: 9 });
  const all = t.series(103);
  expect([all.times, all.of.sent, all.of.permanent, all.of.expired]).toEqual([
    [100, 101, 102],
    [0, 4, 0],
    [0, 2, 0],
    [0, 0, 0],
  ]);
  expect(t.lately(103, 60)).toMatchObject({ sent: 4, permanent: 2 });
});

test('it keeps an hour, however long it is open', () => {
  const t = new Throughput(0);
  for (let s = 0; s < 3 * hour; s++) t.add(s, { sent: 1 });
  const all = t.series(3 * hour);
  expect(all.times.length).toBe(hour);
  expect(all.times[0]).toBe(2 * hour);
  expect(all.of.sent.every((n) => n === 1)).toBe(true);
  expect(Object.values(t)[0]).toHaveProperty('size', hour);
});

test('before the page was opened there are the minutes that the server remembers', () => {
  const began = 100 * 60 + 5;
  const t = new Throughput(began);
  t.remember({ until: new Date(101 * 60_000).toISOString(), ended: { sent: [600, 60, 5], permanent: [6, 0], suppressed: null } });
  t.add(began + 1, { sent: 2 });
  const all = t.series(began + 2);
  const at = all.times.indexOf(98 * 60 + 30);
  expect(all.times.slice(at)).toEqual([98 * 60 + 30, 99 * 60 + 30, began, began + 1]);
  expect(all.of.sent.slice(at)).toEqual([10, 1, 0, 2]);
  expect(all.of.permanent.slice(at)).toEqual([0, 0.1, 0, 0]);
  expect(all.times[0]).toBe(98 * 60 + 30);
});

test('codes have their classes', () => {
  expect(['fcm.unregistered', 'poison', 'device.quarantined', 'duplicate', 'unknown', 'expired', 'new.one'].map(classOf)).toEqual(
    ['permanent', 'dead_lettered', 'suppressed', 'suppressed', 'ambiguous', 'expired', 'permanent'],
  );
  expect(successOf({ sent: 3, permanent: 1 })).toBe(0.75);
  expect(successOf({ sent: 0 })).toBeUndefined();
});
