/** How much of the past a chart shows: an hour, in seconds. */
export const hour = 3600;

/** The kinds of outcome that a chart tells apart, in the order in which they are stacked. */
export const kinds = ['sent', 'suppressed', 'expired', 'cancelled', 'ambiguous', 'permanent', 'dead_lettered'] as const;

export type Kind = (typeof kinds)[number];

/** Outcomes a second by kind, each list as long as the times, which are in seconds since 1970. */
export interface Series {
  times: number[];
  of: Record<Kind, number[]>;
}

/** What the server remembers: of each minute up to a time, the last one's at the end. */
export interface Past {
  until: string;
  ended: Record<string, number[] | null>;
}

const none = (): Record<Kind, number> =>
  ({ sent: 0, suppressed: 0, expired: 0, cancelled: 0, ambiguous: 0, permanent: 0, dead_lettered: 0 }) satisfies Record<
    Kind,
    number
  >;

const isKind = (name: string): name is Kind => (kinds as readonly string[]).includes(name);

const dead = ['attempts_exhausted', 'unexpandable', 'undecodable', 'poison', 'undelivered'];
const passedOver = ['no_device', 'duplicate'];

/** The class of the code that a delivery ended with; what is not known is told as permanent. */
export function classOf(code: string): Kind {
  if (isKind(code)) return code;
  if (code === 'unknown') return 'ambiguous';
  if (dead.includes(code)) return 'dead_lettered';
  if (passedOver.includes(code) || /^(device|user|cap)\./.test(code)) return 'suppressed';
  return 'permanent';
}

/** Outcomes by second since the page was opened, before that by minute. It holds at most an hour, so that a console may stay open. */
export class Throughput {
  private readonly seconds = new Map<number, Record<Kind, number>>();
  private minutes = new Map<number, Record<Kind, number>>();
  readonly began: number;

  constructor(now: number) {
    this.began = now;
  }

  add(at: number, by: Record<string, number>): void {
    const s = this.seconds.get(at) ?? none();
    for (const [name, n] of Object.entries(by)) s[classOf(name)] += n;
    this.seconds.set(at, s);
    for (const old of this.seconds.keys()) {
      if (old > at - hour) break;
      this.seconds.delete(old);
    }
  }

  /** Takes what the server remembers, in place of what it said before. */
  remember(past: Past): void {
    const end = Math.floor(Date.parse(past.until) / 60_000);
    const minutes = new Map<number, Record<Kind, number>>();
    for (const [name, list] of Object.entries(past.ended)) {
      (list ?? []).forEach((n, i) => {
        const at = end - (list ?? []).length + i;
        const m = minutes.get(at) ?? none();
        m[classOf(name)] += n;
        minutes.set(at, m);
      });
    }
    this.minutes = minutes;
  }

  /** Every second since the page was opened, to the one before now, which is not over. A minute before is one point of its mean. */
  series(now: number): Series {
    const out: Series = {
      times: [],
      of: { sent: [], suppressed: [], expired: [], cancelled: [], ambiguous: [], permanent: [], dead_lettered: [] },
    };
    const point = (t: number, s: Record<Kind, number> | undefined, over: number): void => {
      out.times.push(t);
      for (const k of kinds) out.of[k].push((s?.[k] ?? 0) / over);
    };
    if (this.minutes.size > 0) {
      const first = Math.min(...this.minutes.keys());
      for (let m = Math.max(first, Math.ceil((now - hour) / 60)); (m + 1) * 60 <= this.began; m++)
        point(m * 60 + 30, this.minutes.get(m), 60);
    }
    for (let t = Math.max(this.began, now - hour); t < now; t++) point(t, this.seconds.get(t), 1);
    return out;
  }

  /** What came in the last seconds since the page was opened. */
  lately(now: number, seconds: number): Record<Kind, number> {
    const sum = none();
    for (let t = now - seconds; t < now; t++) {
      const s = this.seconds.get(t);
      if (s) for (const k of kinds) sum[k] += s[k];
    }
    return sum;
  }
}

/** How many of all, from 0 to 1, were sent; undefined of none. */
export function successOf(sum: Record<string, number>): number | undefined {
  const all = Object.values(sum).reduce((a, b) => a + b, 0);
  return all === 0 ? undefined : (sum.sent ?? 0) / all;
}
