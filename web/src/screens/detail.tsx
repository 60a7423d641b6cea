import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { address, call, onceKey, type Schemas } from '../api/client';
import { count, rate, some, span, word } from '../format';
import { useEvents } from '../live';
import { Badge, Bar, Button, Card, Confirm, Empty, Facts, Shown, Text, Time } from '../parts/basics';
import { More, Table, type Column } from '../parts/table';
import { useBar } from '../session';
import { classes, parts } from './list';
import { LineState } from './overview';

type Notification = Schemas['Notification'];

const ended = (n: Notification): boolean => ['completed', 'cancelled', 'dead_lettered'].includes(n.state);

interface Filter {
  class?: string;
  code?: string;
}

/** One notification or batch, live. */
export function Detail({ kind, id, filter }: { kind: 'batch' | 'notification'; id: string; filter: Filter }): ReactNode {
  const client = useQueryClient();
  const key = ['notification', id];
  const q = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => call('get', '/v1/notifications/{id}', { path: { id }, signal }),
    refetchInterval: (query) => (query.state.data && ended(query.state.data) ? false : 5000),
  });
  const watch = q.data !== undefined && !ended(q.data) ? address('/v1/notifications/{id}/events', { id }) : undefined;
  const line = useEvents(watch, (h) => {
    if (h.kind === 'progress') {
      // The stream leaves the message out, which does not change.
      client.setQueryData<Notification>(key, (old) => ({ ...(h.data as unknown as Notification), message: old?.message }));
    } else void client.invalidateQueries({ queryKey: key });
  });
  return (
    <Shown query={q} what={`the ${kind}`}>
      {(n) => (
        <>
          <h1>
            <Text>{n.title ?? word(kind)}</Text> <Badge state={n.state} />
          </h1>
          <p className="faint">
            <code>{n.id}</code>
          </p>
          {n.waiting ? (
            <p className="headline degraded">
              Waits: <Text>{n.waiting.text}</Text>
            </p>
          ) : null}
          {n.held?.map((h) => (
            <p key={`${h.platform} ${h.code}`} className="headline degraded">
              Held for {h.platform}: <code>{h.code}</code>, <Text>{h.meaning}</Text> ({count(h.refused)} were refused)
            </p>
          ))}
          <Controls of={n} />
          <div className="grid">
            <Card title="Outcomes" aside={watch ? <LineState of={line} /> : undefined} wide>
              <Bar label="Outcomes" whole={n.recipients} parts={parts(n.counts)} />
              <Counts of={n} />
            </Card>
            <Card title="About it">
              <Facts
                of={[
                  ['Recipients', count(n.recipients)],
                  ['Priority', n.priority],
                  ['App', n.app],
                  ['Sender', n.sender],
                  ['Accepted', <Time key="accepted" at={n.accepted_at} />],
                  ['Started', n.started_at ? <Time key="started" at={n.started_at} /> : ''],
                  ['Completed', n.completed_at ? <Time key="completed" at={n.completed_at} /> : ''],
                  ['Expires', n.expires_at ? <Time key="expires" at={n.expires_at} /> : ''],
                  ['A second', n.rate ? rate(n.rate) : ''],
                  ['Left', n.eta_seconds ? `about ${span(n.eta_seconds)}` : ''],
                  ['Lines received', n.received ? count(n.received) : ''],
                  ['Lines refused', n.invalid ? count(n.invalid) : ''],
                  ['Lines repeated', n.duplicates ? count(n.duplicates) : ''],
                  ['May be doubled', n.counts?.possible_duplicates ? count(n.counts.possible_duplicates) : ''],
                  [
                    'Labels',
                    Object.keys(n.labels ?? {}).length > 0
                      ? Object.entries(n.labels ?? {}).map(([name, value]) => (
                          <span className="label" key={name}>
                            <Text>{`${name}=${value}`}</Text>
                          </span>
                        ))
                      : '',
                  ],
                ]}
              />
            </Card>
            {n.message ? (
              <Card title="Message">
                <Json of={n.message} label="The message as it was asked for" />
              </Card>
            ) : null}
            <Deliveries id={n.id} kind={kind} filter={filter} live={!ended(n)} />
          </div>
        </>
      )}
    </Shown>
  );
}

export function Json({ of, label }: { of: unknown; label: string }): ReactNode {
  return (
    <pre tabIndex={0} role="region" aria-label={label}>
      {JSON.stringify(of, null, 2)
        .split('\n')
        .map((l, i) => <Text key={i}>{`${l} `}</Text>)
        .flatMap((l, i) => [l, <br key={`b${String(i)}`} />])}
    </pre>
  );
}

function Counts({ of: n }: { of: Notification }): ReactNode {
  const c = n.counts;
  if (c === undefined) return <Empty>Nothing is counted yet.</Empty>;
  const rows: [string, number][] = [['open', c.open], ...classes.map((k): [string, number] => [k, c[k]])];
  return (
    <>
      <dl className="counts">
        {rows
          .filter(([name, x]) => x > 0 || name === 'open' || name === 'sent')
          .map(([name, x]) => (
            <div key={name}>
              <dt>
                <span className={`key ${name}`} /> {word(name)}
              </dt>
              <dd>{count(x)}</dd>
            </div>
          ))}
      </dl>
      <ul className="codes" aria-label="By code">
        {Object.entries(c.by_code)
          .filter(([code]) => code !== 'sent' && code !== 'open')
          .sort(([, a], [, b]) => b - a)
          .map(([code, x]) => (
            <li key={code}>
              <code>{code}</code> {count(x)}
            </li>
          ))}
      </ul>
    </>
  );
}

type Verb = 'pause' | 'resume' | 'cancel';

const barOf: Record<Verb, (n: Notification) => string | undefined> = {
  pause: (n) =>
    ended(n)
      ? 'it has ended'
      : n.state === 'paused'
        ? 'it is paused already'
        : n.state === 'uploading'
          ? 'it is not started yet'
          : undefined,
  resume: (n) => (n.state === 'paused' || n.state === 'held' ? undefined : 'it is not paused'),
  cancel: (n) => (ended(n) ? 'it has ended' : undefined),
};

function Controls({ of: n }: { of: Notification }): ReactNode {
  const client = useQueryClient();
  const may = useBar('manage');
  const [asked, setAsked] = useState<Verb | null>(null);
  const [once, setOnce] = useState('');
  const m = useMutation({
    mutationFn: (verb: Verb) => {
      const o = { path: { id: n.id }, once };
      if (verb === 'pause') return call('post', '/v1/notifications/{id}/pause', o);
      if (verb === 'resume') return call('post', '/v1/notifications/{id}/resume', o);
      return call('post', '/v1/notifications/{id}/cancel', o);
    },
    onSuccess: () => {
      setAsked(null);
    },
    onSettled: () => client.invalidateQueries(),
  });
  const open = n.counts?.open ?? n.recipients;
  const said: Record<Verb, string> = {
    pause: `What is open waits until it is resumed, loses no attempt, and expires at its time: ${some(open, 'recipient')}.`,
    resume: `What is open is sent from now on: ${some(open, 'recipient')}.`,
    cancel: `${some(open, 'recipient')} will never get it. This cannot be taken back.`,
  };
  return (
    <div className="actions">
      {(['pause', 'resume', 'cancel'] as const).map((verb) => (
        <Button
          key={verb}
          kind={verb === 'cancel' ? 'danger' : 'plain'}
          bar={may ?? barOf[verb](n)}
          onClick={() => {
            m.reset();
            setOnce(onceKey());
            setAsked(verb);
          }}
        >
          {verb === 'pause' ? 'Pause' : verb === 'resume' ? 'Resume' : 'Cancel'}
        </Button>
      ))}
      {n.id.startsWith('bat_') ? (
        <a className="button plain" href={address('/v1/batches/{id}/report', { id: n.id })} download={`${n.id}.ndjson`}>
          Report
        </a>
      ) : null}
      {asked ? (
        <Confirm
          title={`${asked === 'pause' ? 'Pause' : asked === 'resume' ? 'Resume' : 'Cancel'} it?`}
          verb={
            asked === 'cancel' ? `Cancel ${count(open)}` : asked === 'pause' ? `Pause ${count(open)}` : `Resume ${count(open)}`
          }
          danger={asked === 'cancel'}
          busy={m.isPending}
          error={m.error}
          onYes={() => {
            m.mutate(asked);
          }}
          onNo={() => {
            setAsked(null);
          }}
        >
          <p>{said[asked]}</p>
        </Confirm>
      ) : null}
    </div>
  );
}

type Row = Schemas['Delivery'] & { notification: string };

const deliveries: Column<Row>[] = [
  {
    name: 'Recipient',
    cell: (d) => {
      const recipient = d.line ? `line:${String(d.line)}` : d.address_hash ? `hash:${d.address_hash}` : '';
      const text = d.device_id ?? d.user_id ?? recipient;
      return recipient === '' ? (
        <Text>{text}</Text>
      ) : (
        <Link to="/notifications/$id/deliveries/$recipient" params={{ id: d.notification, recipient }}>
          <Text>{text}</Text>
        </Link>
      );
    },
  },
  { name: 'Class', cell: (d) => <Badge state={d.class} tone={d.class === 'open' ? 'calm' : undefined} /> },
  { name: 'Code', cell: (d) => <code>{String(d.code)}</code> },
  { name: 'Attempts', cell: (d) => count(d.attempts?.length ?? 0), numeric: true },
  { name: 'Detail', cell: (d) => <Text>{d.detail ?? d.attempts?.at(-1)?.detail}</Text> },
];

const deliveryClasses = ['open', ...classes, 'invalid'] as const;

function Deliveries({
  id,
  kind,
  filter,
  live,
}: {
  id: string;
  kind: 'batch' | 'notification';
  filter: Filter;
  live: boolean;
}): ReactNode {
  const go = useNavigate();
  const bar = useBar('read_payload');
  const q = useInfiniteQuery({
    queryKey: ['deliveries', id, filter],
    enabled: bar === undefined,
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      call('get', '/v1/notifications/{id}/deliveries', {
        path: { id },
        signal,
        query: { class: filter.class, code: filter.code, limit: 25, cursor: pageParam } as never,
      }),
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: live ? 5000 : false,
  });
  const set = (search: Filter): void => {
    void (kind === 'batch'
      ? go({ to: '/batches/$id', params: { id }, search, replace: true })
      : go({ to: '/notifications/$id', params: { id }, search, replace: true }));
  };
  return (
    <Card title="Recipients" wide>
      {bar ? (
        <Empty>Who got it is not shown: {bar}.</Empty>
      ) : (
        <>
          <div className="filters">
            <label>
              Class
              <select
                value={filter.class ?? ''}
                onChange={(e) => {
                  set({ ...filter, class: e.target.value || undefined });
                }}
              >
                <option value="">any</option>
                {deliveryClasses.map((c) => (
                  <option key={c} value={c}>
                    {word(c)}
                  </option>
                ))}
              </select>
            </label>
          </div>
          <Shown query={q} what="the recipients">
            {(d) => (
              <>
                <Table
                  label="Recipients"
                  rows={d.pages.flatMap((p) => p.items.map((x) => ({ ...x, notification: id })))}
                  columns={deliveries}
                  id={(d) => `${String(d.line ?? '')} ${String(d.chunk ?? '')} ${String(d.index ?? '')}`}
                  empty="No recipient is of this class, or none is planned yet."
                />
                <More query={q} />
              </>
            )}
          </Shown>
        </>
      )}
    </Card>
  );
}
