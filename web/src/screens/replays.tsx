import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { call, Once, onceKey, type Schemas } from '../api/client';
import { count, rate, some, span, word } from '../format';
import { Badge, Bar, Button, Card, Confirm, Facts, Shown, Text, Time } from '../parts/basics';
import { More, Table, type Column } from '../parts/table';
import { useBar } from '../session';
import { Diff } from './edits';

/** What a replay would come to, letter by letter found out beforehand. */
export function SimulationScreen({ id }: { id: string }): ReactNode {
  const q = useQuery({
    queryKey: ['simulation', id],
    queryFn: ({ signal }) => call('get', '/v1/simulations/{id}', { path: { id }, signal }),
    staleTime: 60_000,
  });
  return (
    <>
      <h1>Simulation of a replay</h1>
      <Shown query={q} what="the simulation">
        {(s) => <Simulated of={s} />}
      </Shown>
    </>
  );
}

interface Finding {
  name: string;
  n: number;
  why: string | undefined;
}

const findings: Column<Finding>[] = [
  { name: 'What was found', cell: (f) => <Badge state={f.name} tone={f.name === 'would_send' ? 'good' : 'calm'} /> },
  { name: 'Letters', cell: (f) => count(f.n), numeric: true },
  { name: 'For example', cell: (f) => <Text>{f.why}</Text> },
];

function Simulated({ of: s }: { of: Schemas['Simulation'] }): ReactNode {
  const client = useQueryClient();
  const go = useNavigate();
  const may = useBar('replay');
  const [asking, setAsking] = useState(false);
  const [canary, setCanary] = useState('1');
  const [stop, setStop] = useState('20');
  const [once] = useState(() => new Once());
  const start = useMutation({
    mutationFn: () => {
      const body = { simulation: s.id, canary: Number(canary) / 100, stop_if_refail: Number(stop) / 100 };
      return call('post', '/v1/replays', { body, once: once.of(body) });
    },
    onSuccess: (r) => {
      client.setQueryData(['replay', r.id], r);
      void go({ to: '/replays/$id', params: { id: r.id } });
    },
  });
  const rows = Object.entries(s.counts)
    .map(([name, n]): Finding => ({ name, n, why: s.samples[name]?.find((x) => x.why)?.why }))
    .sort((a, b) => b.n - a.n);
  const wrong = (t: string): boolean => !(Number(t) > 0 && Number(t) <= 100);
  return (
    <>
      <p>
        Of {some(s.total, 'letter')}, {count(s.sends)} would be sent again
        {s.possible_duplicates > 0 ? `, ${count(s.possible_duplicates)} of which may have been delivered already` : ''}. It would
        take about {span(s.seconds)}.
      </p>
      <div className="actions">
        <Button
          kind="primary"
          bar={may ?? (s.sends === 0 ? 'nothing would be sent' : undefined)}
          onClick={() => {
            setAsking(true);
          }}
        >
          Replay {count(s.sends)} …
        </Button>
        <Link to="/dead-letters">Back to the causes</Link>
      </div>
      <Card title="What it would come to" wide>
        <Table label="What it would come to" rows={rows} columns={findings} id={(f) => f.name} empty="No letter matched." />
      </Card>
      <p className="faint">
        Simulated at <Time at={s.at} />; a replay can be started until <Time at={s.expires_at} />.
      </p>
      {s.message_after ? (
        <Card title="One message, before and after the edits" wide>
          <Diff before={s.message_before} after={s.message_after} label="The difference" />
        </Card>
      ) : null}
      {asking ? (
        <Confirm
          title={`Replay ${some(s.sends, 'letter')}?`}
          verb={`Replay ${count(s.sends)}`}
          busy={start.isPending}
          error={start.error}
          bar={wrong(canary) || wrong(stop) ? 'both shares must be above 0 and at most 100 %' : undefined}
          onYes={() => {
            start.mutate();
          }}
          onNo={() => {
            setAsking(false);
          }}
        >
          <p>
            {some(s.sends, 'recipient')} will get the message, with its original id. A part goes first; the rest follows if that
            part does well.
          </p>
          <label>
            Part that goes first, in %
            <input
              inputMode="decimal"
              value={canary}
              onChange={(e) => {
                setCanary(e.target.value);
              }}
            />
          </label>
          <label>
            Stop if more than this fails again, in %
            <input
              inputMode="decimal"
              value={stop}
              onChange={(e) => {
                setStop(e.target.value);
              }}
            />
          </label>
        </Confirm>
      ) : null}
    </>
  );
}

const over = (r: Schemas['Replay']): boolean => r.state === 'completed' || r.state === 'cancelled';

const replays: Column<Schemas['Replay']>[] = [
  {
    name: 'Replay',
    cell: (r) => (
      <Link to="/replays/$id" params={{ id: r.id }}>
        <code>{r.id}</code>
      </Link>
    ),
  },
  { name: 'State', cell: (r) => <Badge state={r.state} /> },
  { name: 'Progress', cell: (r) => <Bar label="Letters" whole={r.total} parts={done(r)} /> },
  { name: 'Letters', cell: (r) => count(r.total), numeric: true },
  { name: 'Failed again', cell: (r) => count(r.refailed), numeric: true },
  { name: 'By', cell: (r) => <Text>{r.by}</Text> },
  { name: 'Started', cell: (r) => <Time at={r.created_at} /> },
];

const done = (r: Schemas['Replay']): { name: string; n: number }[] => [
  { name: 'replayed', n: Math.max(0, r.known - r.refailed) },
  { name: 'refailed', n: r.refailed },
  { name: 'waiting', n: Math.max(0, r.sent - r.known - r.unwatched) },
];

/** The replays, the newest first. */
export function Replays(): ReactNode {
  const q = useInfiniteQuery({
    queryKey: ['replays'],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => call('get', '/v1/replays', { signal, query: { limit: 25, cursor: pageParam } as never }),
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: 3000,
  });
  return (
    <>
      <h1>Replays</h1>
      <Shown query={q} what="the replays">
        {(d) => (
          <>
            <Table
              label="Replays"
              rows={d.pages.flatMap((p) => p.items)}
              columns={replays}
              id={(r) => r.id}
              empty="There was no replay yet: it begins with a simulation of dead letters."
            />
            <More query={q} />
          </>
        )}
      </Shown>
    </>
  );
}

type Verb = 'pause' | 'resume' | 'cancel';

/** One replay, live. */
export function ReplayScreen({ id }: { id: string }): ReactNode {
  const client = useQueryClient();
  const q = useQuery({
    queryKey: ['replay', id],
    queryFn: ({ signal }) => call('get', '/v1/replays/{id}', { path: { id }, signal }),
    refetchInterval: (query) => (query.state.data && over(query.state.data) ? false : 1000),
  });
  const may = useBar('replay');
  const [stopping, setStopping] = useState(false);
  const m = useMutation({
    mutationFn: (verb: Verb) => {
      const o = { path: { id }, once: onceKey() };
      if (verb === 'pause') return call('post', '/v1/replays/{id}/pause', o);
      if (verb === 'resume') return call('post', '/v1/replays/{id}/resume', o);
      return call('post', '/v1/replays/{id}/cancel', o);
    },
    onSuccess: () => {
      setStopping(false);
    },
    onSettled: () => client.invalidateQueries(),
  });
  return (
    <Shown query={q} what="the replay">
      {(r) => (
        <>
          <h1>
            Replay <Badge state={r.state} />
          </h1>
          <p className="faint">
            <code>{r.id}</code>
          </p>
          {r.why ? (
            <p>
              <Text>{r.why}</Text>
            </p>
          ) : null}
          {r.next ? (
            <p className="headline degraded">
              <strong>Do:</strong> <Text>{r.next}</Text>
            </p>
          ) : null}
          <div className="actions">
            <Button
              bar={may ?? (r.state === 'running' ? undefined : 'it is not running')}
              onClick={() => {
                m.mutate('pause');
              }}
            >
              Pause
            </Button>
            <Button
              bar={may ?? (r.state === 'paused' || r.state === 'stopped' ? undefined : 'it is not paused or stopped')}
              onClick={() => {
                m.mutate('resume');
              }}
            >
              Resume
            </Button>
            <Button
              kind="danger"
              bar={may ?? (over(r) ? 'it has ended' : undefined)}
              onClick={() => {
                setStopping(true);
              }}
            >
              Cancel
            </Button>
          </div>
          {m.error && !stopping ? (
            <p className="failure" role="alert">
              <Text>{m.error.message}</Text>
            </p>
          ) : null}
          <Card title="Letters" wide>
            <Bar label="Letters" whole={r.total} parts={done(r)} />
            <Facts
              of={[
                ['In its set', count(r.total)],
                ['Sent again', count(r.sent)],
                ['With an outcome', count(r.known)],
                ['Failed again', count(r.refailed)],
                ['Phase', over(r) ? '' : r.phase],
                ['Goes first', r.canary ? `${rate(r.canary * 100)} %` : ''],
                ['Stops above', r.stop_if_refail ? `${rate(r.stop_if_refail * 100)} % failed again` : ''],
                ['Started', <Time key="s" at={r.created_at} />],
                ['By', r.by],
                ['Ended', r.ended_at ? <Time key="e" at={r.ended_at} /> : ''],
                ['Outcomes', counts(r.by_outcome)],
                ['Not sent', counts(r.skipped)],
              ]}
            />
            <p>
              <Link to="/dead-letters/letters" search={{ replay: r.id, state: 'replayed' }}>
                Letters that it replayed
              </Link>
            </p>
          </Card>
          {stopping ? (
            <Confirm
              title="Cancel the replay?"
              verb="Cancel it"
              danger
              busy={m.isPending}
              error={m.error}
              onYes={() => {
                m.mutate('cancel');
              }}
              onNo={() => {
                setStopping(false);
              }}
            >
              <p>
                Nothing more is sent again: {some(Math.max(0, r.total - r.sent), 'letter')} will wait for a decision as before.
              </p>
            </Confirm>
          ) : null}
        </>
      )}
    </Shown>
  );
}

function counts(of: Record<string, number> | undefined): string {
  return Object.entries(of ?? {})
    .map(([name, n]) => `${count(n)} ${word(name)}`)
    .join(', ');
}
