import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useEffect, useRef, useState, type ReactNode } from 'react';

import { call, type Schemas } from '../api/client';
import { ago, count, dollars, percent, rate, seconds as inSeconds, span, word } from '../format';
import { useEvents, useFresh, type Line } from '../live';
import { Badge, Bar, Card, Empty, Shown, Text, Time } from '../parts/basics';
import { Chart } from '../parts/chart';
import { Table, type Column } from '../parts/table';
import { useSession } from '../session';
import { kinds, successOf, Throughput, type Series } from '../throughput';
import { useStatus } from './status';

type Status = Schemas['Status'];

/** How everything is, on one screen. */
export function Overview(): ReactNode {
  const status = useStatus();
  const platform = useSession().permissions.includes('platform');
  return (
    <>
      <h1>Overview</h1>
      <Shown query={status} what="how the system is">
        {(s) => (
          <>
            <Headline of={s} />
            <div className="grid">
              <Figures of={s} />
              <Live of={s} />
              <Running of={s} />
              {platform ? <Lanes of={s.lanes} /> : null}
              {platform ? <Queues of={s.queues} /> : null}
              {platform ? <Breakers of={s.credentials} /> : null}
              <Causes of={s.dead_letters} />
              <Tenants of={s.tenants} />
            </div>
          </>
        )}
      </Shown>
    </>
  );
}

export function Headline({ of: s }: { of: Status }): ReactNode {
  return (
    <section className={`headline ${s.health}`} aria-label="Health">
      <p>
        <Badge state={s.health} tone={s.health === 'ok' ? 'good' : s.health === 'degraded' ? 'warn' : 'bad'} />{' '}
        <strong>
          <Text>{s.headline}</Text>
        </strong>
      </p>
      {s.problems.map((p, i) => (
        <div key={i} className="trouble">
          <p>
            <Badge state={p.health} /> <Text>{p.what}</Text>, affects <Text>{p.affected}</Text>
            {p.since ? `, since ${ago(p.since)}` : ''}
          </p>
          <p>
            <Text>{p.why}</Text>
          </p>
          {p.do ? (
            <p>
              <strong>Do:</strong> <Text>{p.do}</Text>
            </p>
          ) : null}
        </div>
      ))}
      {s.missing.map((m) => (
        <p key={m.part}>
          <Badge state="stale" tone="warn" /> {m.part}: <Text>{m.reason}</Text>
          {m.age_seconds ? `; shown as it was ${span(m.age_seconds)} ago` : ''}
        </p>
      ))}
      <p className="faint">
        As of <Time at={s.at} />
      </p>
    </section>
  );
}

const sums = (past: Schemas['StatusPast'] | undefined): Record<string, number> =>
  Object.fromEntries(Object.entries(past?.ended ?? {}).map(([k, list]) => [k, (list ?? []).reduce((a, b) => a + b, 0)]));

const today = (): string => new Date().toISOString().slice(0, 10);

/** The numbers that are asked for first. */
function Figures({ of: s }: { of: Status }): ReactNode {
  const usage = useQuery({
    queryKey: ['usage', today()],
    queryFn: ({ signal }) => call('get', '/v1/usage', { signal, query: { since: today(), group: 'day' } as never }),
    refetchInterval: 30_000,
  });
  const ended = sums(s.past);
  const all = Object.values(ended).reduce((a, b) => a + b, 0);
  const success = successOf(ended);
  const waits = s.past?.time_to_fcm;
  const day = usage.data?.items;
  return (
    <section className="figures card wide" aria-label="Figures">
      <Figure
        name="Sent, last hour"
        value={success === undefined ? '–' : percent(success)}
        about={
          s.past === undefined
            ? 'for keys with the permission platform'
            : all === 0
              ? 'nothing ended'
              : `${count(ended.sent ?? 0)} of ${count(all)} that ended`
        }
      />
      <Figure
        name="To FCM, half within"
        value={waits ? inSeconds(waits.p50_seconds) : '–'}
        about={
          waits
            ? `95 %: ${inSeconds(waits.p95_seconds)}, 99 %: ${inSeconds(waits.p99_seconds)}`
            : 'nothing was sent in five minutes'
        }
      />
      <Figure
        name="Oldest open work"
        value={s.oldest ? span((Date.parse(s.at) - Date.parse(s.oldest)) / 1000) : '–'}
        about={s.open > 0 ? `${count(s.open)} recipients open` : 'nothing is open'}
      />
      <Figure
        name="Cost today"
        value={day ? dollars(day.reduce((a, d) => a + d.cost_usd, 0)) : '–'}
        about={
          day
            ? `${count(day.reduce((a, d) => a + d.billable_units, 0))} units, as on AWS by list prices; the UTC day`
            : usage.error
              ? usage.error.message
              : 'is read'
        }
      />
    </section>
  );
}

function Figure({ name, value, about }: { name: string; value: string; about: string }): ReactNode {
  return (
    <div className="figure">
      <h2>{name}</h2>
      <p className="value">{value}</p>
      <p className="faint">{about}</p>
    </div>
  );
}

const seconds = (): number => Math.floor(Date.now() / 1000);

/** Outcomes as they come: by second since the page was opened, and by minute before, as the server remembers them. */
function Live({ of: s }: { of: Status }): ReactNode {
  const counted = useRef<Throughput | null>(null);
  const fresh = useFresh();
  const [series, setSeries] = useState<Series | null>(null);
  const [minute, setMinute] = useState<Record<string, number>>({});
  const { past, rates } = s;
  const line = useEvents('/v1/events', (h) => {
    counted.current ??= new Throughput(seconds());
    if (h.kind === 'outcome') counted.current.add(seconds(), (h.data.by_code ?? {}) as Record<string, number>);
    fresh(['status', 'notifications', 'groups', 'letters']);
  });
  useEffect(() => {
    counted.current ??= new Throughput(seconds());
    if (past) counted.current.remember(past);
  }, [past]);
  useEffect(() => {
    const t = setInterval(() => {
      counted.current ??= new Throughput(seconds());
      setSeries(counted.current.series(seconds()));
      setMinute(counted.current.lately(seconds(), 60));
    }, 1000);
    return () => {
      clearInterval(t);
    };
  }, []);
  const others = Object.entries(minute).reduce((a, [k, n]) => (k === 'sent' ? a : a + n), 0);
  const success = successOf(minute);
  const said = `in the last minute ${count(minute.sent ?? 0)} sent and ${count(others)} with another outcome`;
  const since = past ? 'by minute, and by second since this page was opened' : 'since this page was opened';
  return (
    <Card title="Outcomes a second" aside={<LineState of={line} />} wide>
      <Chart of={series} label={`Outcomes a second, ${since}; ${said}`} />
      <p className="legend">
        {kinds.map((k) => (
          <span key={k}>
            <span className={`key ${k}`} /> {word(k)}
          </span>
        ))}
      </p>
      <p className="faint">
        {since}; {said}
        {success === undefined ? '' : `, ${percent(success)} sent`}
      </p>
      {rates ? (
        <p>
          Now {rate(rates.accepted)} notifications accepted, {rate(rates.ended)} recipients ended, {rate(rates.sent)} of them
          sent, a second.
        </p>
      ) : null}
    </Card>
  );
}

export function LineState({ of }: { of: Line }): ReactNode {
  return (
    <span className="line" role="status">
      {of.live ? <Badge state="live" tone="good" /> : <Badge state="reconnecting" tone="warn" />}
    </span>
  );
}

const running: Column<Schemas['StatusRunning']>[] = [
  {
    name: 'What',
    cell: (r) =>
      r.id.startsWith('bat_') ? (
        <Link to="/batches/$id" params={{ id: r.id }}>
          <Text>{r.title ?? r.id}</Text>
        </Link>
      ) : (
        <Link to="/notifications/$id" params={{ id: r.id }}>
          <Text>{r.title ?? r.id}</Text>
        </Link>
      ),
  },
  { name: 'Tenant', cell: (r) => <Text>{r.tenant}</Text> },
  { name: 'State', cell: (r) => <Badge state={r.state} /> },
  {
    name: 'Progress',
    cell: (r) =>
      r.counted ? (
        <Bar label="Ended" whole={r.accepted} parts={[{ name: 'ended', n: r.accepted - r.open }]} />
      ) : (
        <span className="faint">counted soon</span>
      ),
  },
  { name: 'Open', cell: (r) => (r.counted ? count(r.open) : ''), numeric: true },
  { name: 'Waits for', cell: (r) => <Text>{r.waiting}</Text> },
];

function Running({ of }: { of: Status }): ReactNode {
  return (
    <Card title="Running" wide aside={of.counted ? <span>{count(of.open)} recipients open</span> : undefined}>
      <Table
        label="Running batches and notifications"
        rows={of.running}
        columns={running}
        id={(r) => r.id}
        empty="Nothing is running: everything that was accepted has its outcome."
      />
      {of.more ? <p className="faint">More is running than is shown here.</p> : null}
    </Card>
  );
}

export const queues: Column<Schemas['StatusQueue']>[] = [
  { name: 'Queue', cell: (q) => q.name },
  { name: 'Waiting', cell: (q) => count(q.visible), numeric: true },
  { name: 'In work', cell: (q) => count(q.in_flight), numeric: true },
  { name: 'Delayed', cell: (q) => count(q.delayed), numeric: true },
  { name: 'Oldest', cell: (q) => (q.oldest_age_seconds ? span(q.oldest_age_seconds) : ''), numeric: true },
];

const lanes: Column<Schemas['StatusLane']>[] = [
  { name: 'Lane', cell: (l) => l.lane },
  { name: 'Oldest open', cell: (l) => (l.oldest ? ago(l.oldest) : '–'), numeric: true },
  { name: 'Open', cell: (l) => count(l.open), numeric: true },
  { name: 'Chunks in hand', cell: (l) => count(l.in_hand), numeric: true },
  {
    name: 'Dispatchers',
    cell: (l) => (l.processes === 0 ? <Badge state="none" tone="bad" /> : count(l.processes)),
    numeric: true,
  },
];

function Lanes({ of }: { of: Status['lanes'] }): ReactNode {
  return (
    <Card title="Lanes">
      <Table label="Lanes" rows={of} columns={lanes} id={(l) => l.lane} empty="No dispatcher works, and nothing is open." />
    </Card>
  );
}

function Queues({ of }: { of: Status['queues'] }): ReactNode {
  return (
    <Card title="Queues">
      <Table label="Queues" rows={of} columns={queues} id={(q) => q.name} empty="The queues could not be asked." />
    </Card>
  );
}

export const credentials: Column<Schemas['StatusCredential']>[] = [
  { name: 'Credential', cell: (c) => <Text>{c.label}</Text> },
  {
    name: 'Breaker',
    cell: (c) => (
      <>
        <Badge state={c.breaker} tone={c.breaker === 'closed' ? 'good' : c.breaker === 'open' ? 'bad' : 'warn'} />{' '}
        {c.cause && c.breaker !== 'closed' ? <Text>{c.cause}</Text> : null}{' '}
        {c.throttled ? <Badge state="throttled" tone="warn" /> : null}
        {c.refused ? <Text>{c.refused}</Text> : null}
      </>
    ),
  },
  { name: 'Pace a second', cell: (c) => rate(c.pace), numeric: true },
  { name: 'Under way', cell: (c) => count(c.in_flight), numeric: true },
  { name: 'Chunks waiting', cell: (c) => count(c.holding ?? 0), numeric: true },
];

function Breakers({ of }: { of: Status['credentials'] }): ReactNode {
  return (
    <Card title="Credentials of FCM">
      <Table
        label="Credentials of FCM"
        rows={of}
        columns={credentials}
        id={(c) => c.label}
        empty="No dispatcher has sent anything lately."
      />
    </Card>
  );
}

type Cause = Schemas['StatusCause'] & { more: number };

const causes: Column<Cause>[] = [
  {
    name: 'Cause',
    cell: (c) => (
      <Link to="/dead-letters/letters" search={{ fingerprint: c.fingerprint }}>
        <code>{c.code}</code>
      </Link>
    ),
  },
  { name: 'What was said', cell: (c) => <Text>{c.pattern}</Text> },
  {
    name: 'Letters',
    cell: (c) => (
      <>
        {count(c.letters)} {c.more > 0 ? <Badge state={`+${count(c.more)}`} tone="bad" /> : null}
      </>
    ),
    numeric: true,
  },
  { name: 'Last', cell: (c) => ago(c.last) },
];

/** How long back growth is told: ten minutes, or as long as the page is open. */
const growthOver = 600_000;

interface Sample {
  at: number;
  letters: Record<string, number>;
}

/** Samples with how many letters each cause has now, one every ten seconds; those that are too old are left out. */
export function sampled(before: Sample[], causes: Schemas['StatusCause'][], now: number): Sample[] {
  const last = before.at(-1);
  if (last && now - last.at < 10_000) return before;
  const kept = before.filter((s) => now - s.at <= growthOver);
  return [...kept, { at: now, letters: Object.fromEntries(causes.map((c) => [c.fingerprint, c.letters])) }];
}

function Causes({ of }: { of: Status['dead_letters'] }): ReactNode {
  const samples = useRef<Sample[]>([]);
  const [first, setFirst] = useState<Sample | null>(null);
  useEffect(() => {
    samples.current = sampled(samples.current, of.causes, Date.now());
    setFirst(samples.current[0] ?? null);
  }, [of]);
  const grown = of.causes.map((c): Cause => ({ ...c, more: first ? c.letters - (first.letters[c.fingerprint] ?? 0) : 0 }));
  const growing = grown.filter((c) => c.more > 0);
  return (
    <Card title="Dead letters" aside={<Link to="/dead-letters">{count(of.parked)} wait for a decision</Link>}>
      {first && growing.length > 0 ? (
        <p>
          <Badge state="growing" tone="bad" /> {count(growing.reduce((a, c) => a + c.more, 0))} more since{' '}
          {ago(new Date(first.at).toISOString())}
        </p>
      ) : null}
      <Table
        label="Causes of dead letters"
        rows={grown}
        columns={causes}
        id={(c) => c.fingerprint}
        empty="No dead letter waits for a decision."
      />
    </Card>
  );
}

const tenants: Column<Schemas['StatusTenant']>[] = [
  { name: 'Tenant', cell: (t) => <Text>{t.name}</Text> },
  { name: 'Running', cell: (t) => count(t.running), numeric: true },
  { name: 'Open', cell: (t) => count(t.open), numeric: true },
  { name: 'Oldest', cell: (t) => (t.oldest ? ago(t.oldest) : '') },
  { name: 'Paused', cell: (t) => <Text>{t.paused}</Text> },
];

function Tenants({ of }: { of: Status['tenants'] }): ReactNode {
  return (
    <Card title="Busiest tenants">
      {of.length === 0 ? (
        <Empty>Nothing of any tenant is running or paused.</Empty>
      ) : (
        <Table label="Busiest tenants" rows={of} columns={tenants} id={(t) => t.name} empty="" />
      )}
    </Card>
  );
}
