import { expect, test } from 'vitest';

import { hour, Throughput } from './throughput';

test('outcomes are counted by second, and the one that is not over is left out', () => {
  const t = new Throughput(100);
  t.add(101, { sent: 3, 'fcm.unregistered': 2 });
  t.add(101, { sent: 1 });
  t.add(103, { sent: 9 });
  expect(t.series(103)).toEqual({ times: [100, 101, 102], sent: [0, 4, 0], others: [0, 2, 0] });
  expect(t.lately(103, 60)).toEqual({ sent: 4, others: 2 });
});

test('it keeps an hour, however long it is open', () => {
  const t = new Throughput(0);
  for (let s = 0; s < 3 * hour; s++) t.add(s, { sent: 1 });
  const all = t.series(3 * hour);
  expect(all.times.length).toBe(hour);
  expect(all.times[0]).toBe(2 * hour);
  expect(all.sent.every((n) => n === 1)).toBe(true);
  expect(Object.values(t)[0]).toHaveProperty('size', hour);
});
