import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';

import { call, Once, type Schemas } from '../api/client';
import { ago, count, rate, some, span } from '../format';
import { Badge, Button, Card, Confirm, Empty, Facts, Shown, Text, Time } from '../parts/basics';
import { Table, type Column } from '../parts/table';
import { useBar, useSession } from '../session';
import { credentials, Headline, queues } from './overview';
import { useStatus } from './status';

type Process = Schemas['StatusProcess'];

const processes: Column<Process>[] = [
  { name: 'Process', cell: (p) => <code>{p.id}</code> },
  { name: 'Kind', cell: (p) => p.kind },
  { name: 'State', cell: (p) => <Badge state={p.state} /> },
  { name: 'Version', cell: (p) => p.version },
  { name: 'Up', cell: (p) => span((Date.parse(p.at) - Date.parse(p.started)) / 1000), numeric: true },
  { name: 'Heard', cell: (p) => `${span(p.age_seconds)} ago`, numeric: true },
  { name: 'Sent a second', cell: (p) => rate(p.rates.sent), numeric: true },
  {
    name: 'Checks',
    cell: (p) => {
      const bad = (p.checks ?? []).filter((c) => c.status !== 'ok');
      if (bad.length === 0) return `${count((p.checks ?? []).length)} ok`;
      return bad.map((c) => (
        <div key={c.name}>
          {c.name}: <Badge state={c.status} /> <Text>{c.reason}</Text>
        </div>
      ));
    },
  },
];

/** The processes, what they work on, and what is paused. */
export function System(): ReactNode {
  const status = useStatus();
  const platform = useSession().permissions.includes('platform');
  return (
    <>
      <h1>System</h1>
      <Shown query={status} what="how the system is">
        {(s) => (
          <>
            <Headline of={s} />
            <div className="grid">
              <Pauses />
              {platform ? (
                <>
                  <Card title="Processes" wide>
                    <Table
                      label="Processes"
                      rows={s.processes}
                      columns={processes}
                      id={(p) => p.id}
                      empty="No process was heard from."
                    />
                  </Card>
                  <Card title="Queues">
                    <Table
                      label="Queues"
                      rows={s.queues}
                      columns={queues}
                      id={(q) => q.name}
                      empty="The queues could not be asked."
                    />
                  </Card>
                  <Card title="Credentials of FCM">
                    <Table
                      label="Credentials of FCM"
                      rows={s.credentials}
                      columns={credentials}
                      id={(c) => c.label}
                      empty="No dispatcher has sent anything lately."
                    />
                  </Card>
                  <Card title="Store">
                    {s.store ? (
                      <Facts
                        of={[
                          ['Backend', s.store.backend],
                          ['Answers within', `${rate(s.store.seconds * 1000)} ms`],
                          [
                            'Disk free',
                            s.store.disk_free
                              ? `${rate(s.store.disk_free / 2 ** 30)} of ${rate((s.store.disk_total ?? 0) / 2 ** 30)} GiB`
                              : '',
                          ],
                          ['Error', s.store.error],
                        ]}
                      />
                    ) : (
                      <Empty>The store could not be asked.</Empty>
                    )}
                  </Card>
                </>
              ) : (
                <Card title="Processes and queues">
                  <Empty>These are for the operator of the platform: a key with the permission platform shows them.</Empty>
                </Card>
              )}
            </div>
          </>
        )}
      </Shown>
    </>
  );
}

function Pauses(): ReactNode {
  const q = useQuery({
    queryKey: ['pauses'],
    queryFn: ({ signal }) => call('get', '/v1/pauses', { signal }),
    refetchInterval: 5000,
  });
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const [lifting, setLifting] = useState<Schemas['Pause'] | null>(null);
  const bar = useBar('manage');
  const lift = useMutation({
    mutationFn: (id: string) => call('delete', '/v1/pauses/{id}', { path: { id } }),
    onSuccess: () => {
      setLifting(null);
    },
    onSettled: () => client.invalidateQueries(),
  });
  return (
    <Card
      title="Pauses"
      wide
      aside={
        <Button
          bar={bar}
          onClick={() => {
            setAsking(true);
          }}
        >
          Pause sending …
        </Button>
      }
    >
      <Shown query={q} what="the pauses">
        {(list) =>
          list.items.length === 0 ? (
            <Empty>Nothing is paused.</Empty>
          ) : (
            <ul className="entries">
              {list.items.map((p) => (
                <li key={p.id}>
                  <Badge state="paused" /> {scope(p)} by <Text>{p.by}</Text>, {ago(p.since)} (<Time at={p.since} />)
                  {p.reason ? ': ' : ''}
                  <Text>{p.reason}</Text>{' '}
                  <Button
                    bar={bar}
                    label={`Lift the pause of ${scope(p)}`}
                    onClick={() => {
                      setLifting(p);
                    }}
                  >
                    Lift
                  </Button>
                </li>
              ))}
            </ul>
          )
        }
      </Shown>
      {asking ? (
        <AskPause
          close={() => {
            setAsking(false);
          }}
        />
      ) : null}
      {lifting ? (
        <Confirm
          title={`Lift the pause of ${scope(lifting)}?`}
          verb="Lift it"
          busy={lift.isPending}
          error={lift.error}
          onYes={() => {
            lift.mutate(lifting.id);
          }}
          onNo={() => {
            setLifting(null);
          }}
        >
          <p>What waits goes on within a second.</p>
        </Confirm>
      ) : null}
    </Card>
  );
}

const scope = (p: Schemas['Pause']): string =>
  p.scope === 'everything'
    ? 'everything'
    : p.scope === 'tenant'
      ? `the tenant ${p.tenant ?? ''}`
      : `the app ${p.app ?? ''} of ${p.tenant ?? ''}`;

function AskPause({ close }: { close: () => void }): ReactNode {
  const client = useQueryClient();
  const session = useSession();
  const status = useStatus();
  const platform = session.permissions.includes('platform');
  const [what, setWhat] = useState<Schemas['PauseScope']>(platform ? 'everything' : 'tenant');
  const [reason, setReason] = useState('');
  const [once] = useState(() => new Once());
  const m = useMutation({
    mutationFn: () => {
      const body = { scope: what, reason: reason || undefined };
      return call('post', '/v1/pauses', { body, once: once.of(body) });
    },
    onSuccess: close,
    onSettled: () => client.invalidateQueries(),
  });
  const open = status.data?.open ?? 0;
  const scopes: [Schemas['PauseScope'], string][] = [['tenant', `the tenant ${session.tenant ?? ''}`]];
  if (platform) scopes.unshift(['everything', 'everything, of every tenant']);
  return (
    <Confirm
      title="Pause sending?"
      verb="Pause"
      danger
      busy={m.isPending}
      error={m.error}
      onYes={() => {
        m.mutate();
      }}
      onNo={close}
    >
      <label>
        What
        <select
          value={what}
          onChange={(e) => {
            setWhat(e.target.value as Schemas['PauseScope']);
          }}
        >
          {scopes.map(([s, name]) => (
            <option key={s} value={s}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Why, for those who find it paused
        <input
          value={reason}
          maxLength={200}
          onChange={(e) => {
            setReason(e.target.value);
          }}
        />
      </label>
      <p>
        Within a second nothing more of it is sent. Of all that you see running, {some(open, 'recipient')} would wait: no attempt
        is lost, and what expires meanwhile ends as expired.
      </p>
    </Confirm>
  );
}
