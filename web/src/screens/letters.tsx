import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { call, Once, onceKey, type Schemas } from '../api/client';
import { ago, count, rate, some, word } from '../format';
import { Badge, Button, Card, Confirm, Facts, Shown, Text, Time } from '../parts/basics';
import { More, Table, type Column } from '../parts/table';
import { groupsRoute, lettersRoute } from '../router';
import { useBar } from '../session';
import { Json } from './detail';
import { Edit } from './edits';
import { Filters } from './list';

type Filter = Schemas['DeadLetterFilter'];
type Search = ReturnType<typeof lettersRoute.useSearch>;

const groups: Column<Schemas['DeadLetterGroup']>[] = [
  {
    name: 'Cause',
    cell: (g) => (
      <>
        <Link to="/dead-letters/letters" search={{ fingerprint: g.fingerprint }}>
          <code>{g.code}</code>
        </Link>
        {g.last_code && g.last_code !== g.code ? (
          <>
            {' '}
            after <code>{g.last_code}</code>
          </>
        ) : null}
      </>
    ),
  },
  { name: 'What was said', cell: (g) => <Text>{g.pattern}</Text> },
  { name: 'Letters', cell: (g) => count(g.count), numeric: true },
  { name: 'Tenants', cell: (g) => Object.keys(g.tenants).map((t) => <Text key={t}>{`${t} `}</Text>) },
  { name: 'First', cell: (g) => ago(g.first_dead_at) },
  { name: 'Last', cell: (g) => ago(g.last_dead_at) },
  { name: 'What is likely wrong', cell: (g) => <Text>{g.advice.cause}</Text> },
];

const groupFields = [
  { name: 'code', label: 'Code' },
  { name: 'tenant', label: 'Tenant' },
  { name: 'notification', label: 'Notification' },
  { name: 'text', label: 'Text has' },
];

/** The causes of dead letters, the most frequent first. */
export function Groups(): ReactNode {
  const filter = groupsRoute.useSearch();
  const go = useNavigate();
  const q = useQuery({
    queryKey: ['groups', filter],
    queryFn: ({ signal }) => call('get', '/v1/dead-letters/groups', { signal, query: filter as never }),
    refetchInterval: 5000,
  });
  return (
    <>
      <h1>Dead letters</h1>
      <p>
        What was given up, by cause. <Link to="/replays">Replays</Link> send letters again.
      </p>
      <Drain />
      <Filters fields={groupFields} now={filter} set={(search) => void go({ to: '/dead-letters', search })} />
      <Shown query={q} what="the causes">
        {(g) => (
          <>
            {g.expiry ? (
              <p className="headline degraded">
                {count(g.expiry.letters)} letters expire within {g.expiry.within}
                {g.expiry.first_at ? (
                  <>
                    , the first at <Time at={g.expiry.first_at} />
                  </>
                ) : null}
              </p>
            ) : null}
            <Table
              label="Causes of dead letters"
              rows={g.items}
              columns={groups}
              id={(x) => x.fingerprint}
              empty={
                Object.keys(filter).length > 0
                  ? 'No letter that waits for a decision matches the filter.'
                  : 'No dead letter waits for a decision: nothing was given up, or all of it is decided.'
              }
            />
            {g.total > g.items.length ? (
              <p className="faint">{count(g.total - g.items.length)} more causes are not shown.</p>
            ) : null}
          </>
        )}
      </Shown>
    </>
  );
}

/** Letters lie in the queues' dead-letter queues until somebody has them fetched. */
function Drain(): ReactNode {
  const client = useQueryClient();
  const bar = useBar('platform');
  const m = useMutation({
    mutationFn: () => call('post', '/v1/dead-letters/drain', { once: onceKey() }),
    onSettled: () => client.invalidateQueries(),
  });
  return (
    <>
      <div className="actions">
        <Button
          bar={bar ?? (m.isPending ? 'the queues are being read' : undefined)}
          onClick={() => {
            m.mutate();
          }}
        >
          Fetch from the queues
        </Button>
        {m.data ? (
          <span role="status">
            {m.data.messages === 0
              ? 'Nothing new was in the queues.'
              : `${some(m.data.stored, 'new letter')} came out of the queues.`}
          </span>
        ) : null}
      </div>
      {m.error ? <FailureOf error={m.error} /> : null}
    </>
  );
}

const letters: Column<Schemas['DeadLetter']>[] = [
  {
    name: 'Letter',
    cell: (l) => (
      <Link to="/dead-letters/letters/$id" params={{ id: l.id }}>
        <code>{l.id}</code>
      </Link>
    ),
  },
  { name: 'State', cell: (l) => <Badge state={l.state} /> },
  { name: 'Code', cell: (l) => <code>{l.last_code ?? l.code}</code> },
  { name: 'Tenant', cell: (l) => <Text>{l.tenant}</Text> },
  {
    name: 'Notification',
    cell: (l) =>
      l.notification_id ? (
        <Link to="/notifications/$id" params={{ id: l.notification_id }}>
          <code>{l.notification_id.slice(0, 12)}…</code>
        </Link>
      ) : (
        <span className="faint">none: {l.queue}</span>
      ),
  },
  { name: 'Attempts', cell: (l) => count(l.attempts), numeric: true },
  { name: 'Died', cell: (l) => <Time at={l.dead_at} /> },
  {
    name: 'Labels',
    cell: (l) =>
      Object.entries(l.labels ?? {}).map(([name, value]) => (
        <span className="label" key={name}>
          <Text>{`${name}=${value}`}</Text>
        </span>
      )),
  },
];

const letterFields = [
  { name: 'state', label: 'State', choices: ['replaying', 'replayed', 'discarded'], otherwise: 'parked' },
  { name: 'code', label: 'Code' },
  { name: 'tenant', label: 'Tenant' },
  { name: 'notification', label: 'Notification' },
  { name: 'text', label: 'Text has' },
  { name: 'fingerprint', label: 'Cause' },
];

/** The letters of a filter, and what can be done with all of them. */
export function Letters(): ReactNode {
  const search = lettersRoute.useSearch();
  const go = useNavigate();
  const { state, ...rest } = search;
  const parked = state === undefined || state === 'parked';
  const filter: Filter = { ...rest, states: ['parked'] } as Filter;
  const stats = useQuery({
    queryKey: ['letters', 'stats', rest],
    queryFn: ({ signal }) => call('get', '/v1/dead-letters/stats', { signal, query: rest as never }),
    refetchInterval: 5000,
  });
  const groups = useQuery({
    queryKey: ['groups', rest],
    enabled: search.fingerprint !== undefined,
    queryFn: ({ signal }) => call('get', '/v1/dead-letters/groups', { signal, query: rest as never }),
  });
  const q = useInfiniteQuery({
    queryKey: ['letters', search],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      call('get', '/v1/dead-letters', {
        signal,
        query: { ...rest, state: state ?? 'parked', limit: 25, cursor: pageParam } as never,
      }),
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: 5000,
  });
  const advice = search.fingerprint ? groups.data?.items.find((g) => g.fingerprint === search.fingerprint)?.advice : undefined;
  const known = stats.data?.by_state.parked ?? 0;
  return (
    <>
      <h1>Letters</h1>
      <p>
        <Link to="/dead-letters">All causes</Link>
      </p>
      <Filters
        fields={letterFields}
        now={parked ? rest : search}
        set={(s: Search) => void go({ to: '/dead-letters/letters', search: s })}
      />
      {advice ? <Advice of={advice} /> : null}
      <Decide
        filter={filter}
        n={known}
        bar={
          parked ? (known === 0 ? 'no letter of this filter waits for a decision' : undefined) : 'choose letters that are parked'
        }
      />
      <Shown query={q} what="the letters">
        {(d) => (
          <>
            <Table
              label="Letters"
              rows={d.pages.flatMap((p) => p.items)}
              columns={letters}
              id={(l) => l.id}
              empty="No letter matches the filter."
            />
            <More query={q} />
          </>
        )}
      </Shown>
    </>
  );
}

function Advice({ of: a }: { of: Schemas['DeadLetterAdvice'] }): ReactNode {
  return (
    <Card title="What to do about it">
      <Facts
        of={[
          ['Likely wrong', a.cause],
          ['Check', a.check],
          ['Replay?', a.replay],
          ['Runbook', a.runbook],
        ]}
      />
    </Card>
  );
}

/** Whether a filter takes every letter there is, which the API wants said in so many words. */
const takesAll = (f: Filter): boolean => Object.keys(f).filter((k) => k !== 'states').length === 0;

/** What can be done with the parked letters of a filter: simulate, and from there replay; or discard. */
function Decide({ filter, n, bar }: { filter: Filter; n: number; bar: string | undefined }): ReactNode {
  const client = useQueryClient();
  const go = useNavigate();
  const replay = useBar('replay');
  const discard = useBar('discard');
  const [asking, setAsking] = useState(false);
  const [editing, setEditing] = useState(false);
  const [reason, setReason] = useState('');
  const [once, setOnce] = useState(() => new Once());
  const [expected, setExpected] = useState(0);
  const all = takesAll(filter);
  const simulate = useMutation({
    mutationFn: () => call('post', '/v1/simulations', { body: { filter, all }, once: onceKey() }),
    onSuccess: (s) => {
      client.setQueryData(['simulation', s.id], s);
      void go({ to: '/dead-letters/simulations/$id', params: { id: s.id } });
    },
  });
  const give = useMutation({
    mutationFn: () => {
      const body = { filter, all, reason, expect: expected };
      return call('post', '/v1/dead-letters/discard', { body, once: once.of(body) });
    },
    onSuccess: () => {
      setAsking(false);
    },
    onSettled: () => client.invalidateQueries(),
  });
  return (
    <>
      <div className="actions">
        <Button
          kind="primary"
          bar={replay ?? bar ?? (simulate.isPending ? 'the letters are being looked at' : undefined)}
          onClick={() => {
            simulate.mutate();
          }}
        >
          Simulate a replay of {count(n)}
        </Button>
        <Button
          bar={replay ?? bar}
          onClick={() => {
            setEditing(true);
          }}
        >
          Edit and simulate …
        </Button>
        <Button
          kind="danger"
          bar={discard ?? bar}
          onClick={() => {
            give.reset();
            setOnce(new Once());
            setExpected(n);
            setAsking(true);
          }}
        >
          Discard {count(n)} …
        </Button>
        {give.data ? <span role="status">{some(give.data.discarded, 'letter')} given up.</span> : null}
      </div>
      {simulate.error ? <FailureOf error={simulate.error} /> : null}
      {editing ? (
        <Edit
          filter={filter}
          all={all}
          close={() => {
            setEditing(false);
          }}
        />
      ) : null}
      {asking ? (
        <Confirm
          title={`Discard ${some(expected, 'letter')}?`}
          verb={`Discard ${count(expected)}`}
          danger
          busy={give.isPending}
          bar={reason.trim() === '' ? 'say why' : undefined}
          error={give.error}
          onYes={() => {
            give.mutate();
          }}
          onNo={() => {
            setAsking(false);
          }}
        >
          <p>
            What is discarded is never sent. Its tombstone keeps the reason; nothing is discarded if more letters match by then.
          </p>
          <label>
            Reason
            <input
              value={reason}
              maxLength={500}
              onChange={(e) => {
                setReason(e.target.value);
              }}
            />
          </label>
        </Confirm>
      ) : null}
    </>
  );
}

function FailureOf({ error }: { error: Error }): ReactNode {
  return (
    <p className="failure" role="alert">
      <Text>{error.message}</Text>
    </p>
  );
}

/** One letter: what was to be sent, why it died, and what is known of it since. */
export function Letter({ id }: { id: string }): ReactNode {
  const q = useQuery({
    queryKey: ['letters', 'one', id],
    queryFn: ({ signal }) => call('get', '/v1/dead-letters/{id}', { path: { id }, signal }),
    refetchInterval: 5000,
  });
  return (
    <>
      <h1>Dead letter</h1>
      <p>
        <code>{id}</code>
      </p>
      <Shown query={q} what="the letter">
        {(l) => (
          <>
            <Decide
              filter={{ ids: [l.id], states: ['parked'] }}
              n={1}
              bar={l.state === 'parked' ? undefined : `it is ${word(l.state)}`}
            />
            <div className="grid">
              <Card title="About it" aside={<Badge state={l.state} />}>
                <Facts
                  of={[
                    ['Code', <code key="c">{l.code}</code>],
                    ['Last answer', l.last_code ? <code key="l">{l.last_code}</code> : ''],
                    ['Detail', l.detail],
                    ['Tenant', l.tenant],
                    ['App', l.app],
                    [
                      'Notification',
                      l.notification_id ? (
                        <Link key="n" to="/notifications/$id" params={{ id: l.notification_id }}>
                          <code>{l.notification_id}</code>
                        </Link>
                      ) : (
                        ''
                      ),
                    ],
                    ['Queue', l.queue],
                    ['Died', <Time key="x" at={l.dead_at} />],
                    ['Expires', l.expires_at ? <Time key="e" at={l.expires_at} /> : ''],
                    ['Kept until', l.kept_until ? <Time key="k" at={l.kept_until} /> : ''],
                    ['A replay now', l.prediction ? <Badge key="p" state={l.prediction} /> : ''],
                    ['Because', l.why],
                    ['Decided by', l.by],
                    ['Reason', l.reason],
                    [
                      'Replay',
                      l.replay_id ? (
                        <Link key="y" to="/replays/$id" params={{ id: l.replay_id }}>
                          <code>{l.replay_id}</code>
                        </Link>
                      ) : (
                        ''
                      ),
                    ],
                  ]}
                />
              </Card>
              {l.advice ? <Advice of={l.advice} /> : null}
              <Card title="Evidence" wide>
                <Table
                  label="Attempts"
                  rows={l.evidence ?? []}
                  columns={attempts}
                  id={(a) => String(a.attempt)}
                  empty="No request to FCM was made for it."
                />
              </Card>
              {l.message ? (
                <Card title="Message" wide>
                  <Json of={l.message} label="The message that was to be sent" />
                </Card>
              ) : null}
              {l.body ? (
                <Card title="What the queue had" wide>
                  <pre tabIndex={0} role="region" aria-label="What the queue had">
                    <Text>{l.body}</Text>
                  </pre>
                </Card>
              ) : null}
            </div>
          </>
        )}
      </Shown>
    </>
  );
}

const attempts: Column<Schemas['Attempt']>[] = [
  { name: 'Attempt', cell: (a) => count(a.attempt), numeric: true },
  { name: 'At', cell: (a) => <Time at={a.at} /> },
  { name: 'Code', cell: (a) => <code>{a.code}</code> },
  { name: 'Took', cell: (a) => `${rate(a.latency_ms)} ms`, numeric: true },
  { name: 'What was said', cell: (a) => <Text>{a.detail}</Text> },
];
