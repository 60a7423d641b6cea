import type { Series } from './parts/chart';

/** How much of the past a chart shows: an hour, in seconds. */
export const hour = 3600;

/** Outcomes by second. It holds at most an hour, so that a console may stay open. */
export class Throughput {
  private readonly seconds = new Map<number, { sent: number; others: number }>();
  readonly began: number;

  constructor(now: number) {
    this.began = now;
  }

  add(at: number, byCode: Record<string, number>): void {
    const s = this.seconds.get(at) ?? { sent: 0, others: 0 };
    for (const [code, n] of Object.entries(byCode)) {
      if (code === 'sent') s.sent += n;
      else s.others += n;
    }
    this.seconds.set(at, s);
    for (const old of this.seconds.keys()) {
      if (old > at - hour) break;
      this.seconds.delete(old);
    }
  }

  /** Every second from the first that may be shown to the one before now, which is not over. */
  series(now: number): Series {
    const of: Series = { times: [], sent: [], others: [] };
    for (let t = Math.max(this.began, now - hour); t < now; t++) {
      const s = this.seconds.get(t);
      of.times.push(t);
      of.sent.push(s?.sent ?? 0);
      of.others.push(s?.others ?? 0);
    }
    return of;
  }

  /** What came in the last seconds. */
  lately(now: number, seconds: number): { sent: number; others: number } {
    const sum = { sent: 0, others: 0 };
    for (let t = now - seconds; t < now; t++) {
      const s = this.seconds.get(t);
      sum.sent += s?.sent ?? 0;
      sum.others += s?.others ?? 0;
    }
    return sum;
  }
}
