import { Link } from '@tanstack/react-router';
import { useEffect, useRef, useState, type ReactNode } from 'react';

import type { Schemas } from '../api/client';
import { ago, count, rate, share, span } from '../format';
import { useEvents, useFresh, type Line } from '../live';
import { Badge, Bar, Card, Empty, Shown, Text, Time } from '../parts/basics';
import { Chart, type Series } from '../parts/chart';
import { Table, type Column } from '../parts/table';
import { useSession } from '../session';
import { Throughput } from '../throughput';
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
              <Live rates={s.rates} />
              <Running of={s} />
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

const seconds = (): number => Math.floor(Date.now() / 1000);

/** Outcomes as they come. The chart begins when it is first shown: the server keeps no history of it. */
function Live({ rates }: { rates: Status['rates'] }): ReactNode {
  const counted = useRef<Throughput | null>(null);
  const fresh = useFresh();
  const [series, setSeries] = useState<Series>({ times: [], sent: [], others: [] });
  const [minute, setMinute] = useState({ sent: 0, others: 0 });
  const line = useEvents('/v1/events', (h) => {
    counted.current ??= new Throughput(seconds());
    if (h.kind === 'outcome') counted.current.add(seconds(), (h.data.by_code ?? {}) as Record<string, number>);
    fresh(['status', 'notifications', 'groups', 'letters']);
  });
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
  const all = minute.sent + minute.others;
  const said = `in the last minute ${count(minute.sent)} sent and ${count(minute.others)} with another outcome`;
  return (
    <Card title="Outcomes a second" aside={<LineState of={line} />} wide>
      <Chart of={series} label={`Outcomes a second since this page was opened; ${said}`} />
      <p className="legend">
        <span className="key sent" /> sent <span className="key others" /> other outcomes{' '}
        <span className="faint">
          since this page was opened; {said}
          {all > 0 ? `, ${Math.round(100 * share(minute.sent, all)).toString()} % sent` : ''}
        </span>
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

const causes: Column<Schemas['StatusCause']>[] = [
  {
    name: 'Cause',
    cell: (c) => (
      <Link to="/dead-letters/letters" search={{ fingerprint: c.fingerprint }}>
        <code>{c.code}</code>
      </Link>
    ),
  },
  { name: 'What was said', cell: (c) => <Text>{c.pattern}</Text> },
  { name: 'Letters', cell: (c) => count(c.letters), numeric: true },
  { name: 'Last', cell: (c) => ago(c.last) },
];

function Causes({ of }: { of: Status['dead_letters'] }): ReactNode {
  return (
    <Card title="Dead letters" aside={<Link to="/dead-letters">{count(of.parked)} wait for a decision</Link>}>
      <Table
        label="Causes of dead letters"
        rows={of.causes}
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
