import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { call, onceKey, type Schemas } from '../api/client';
import { ago } from '../format';
import { Badge, Button, Card, Confirm, Empty, Facts, Shown, Text, Time } from '../parts/basics';
import { More, Table, type Column } from '../parts/table';
import { devicesRoute } from '../router';
import { useBar } from '../session';
import { Filters } from './list';

type Device = Schemas['Device'];

const stateOf = (d: Device): ReactNode => <Badge state={d.state ?? 'active'} tone={d.state === 'quarantined' ? 'bad' : 'good'} />;

const columns: Column<Device>[] = [
  {
    name: 'Device',
    cell: (d) =>
      d.id ? (
        <Link to="/devices/$id" params={{ id: d.id }}>
          <Text>{d.id}</Text>
        </Link>
      ) : null,
  },
  { name: 'State', cell: stateOf },
  { name: 'User', cell: (d) => <Text>{d.user_id}</Text> },
  { name: 'Platform', cell: (d) => d.platform },
  { name: 'App version', cell: (d) => <Text>{d.app_version}</Text> },
  { name: 'Last success', cell: (d) => <Time at={d.last_success_at} /> },
  { name: 'Last failure', cell: (d) => <Text>{d.last_failure}</Text> },
  { name: 'Source', cell: (d) => d.source },
];

const fields = [{ name: 'user_id', label: 'User' }];

/** The devices of everybody or of one user, and one by its id. */
export function Devices(): ReactNode {
  const filter = devicesRoute.useSearch();
  const go = useNavigate();
  const [id, setID] = useState('');
  const bar = id.trim() === '' ? 'type an id first' : undefined;
  const q = useInfiniteQuery({
    queryKey: ['devices', filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      call('get', '/v1/devices', { signal, query: { ...filter, limit: 25, cursor: pageParam } as never }),
    getNextPageParam: (page) => page.next_cursor,
  });
  return (
    <>
      <h1>Devices</h1>
      <form
        className="filters"
        role="search"
        aria-label="By id"
        onSubmit={(e) => {
          e.preventDefault();
          if (bar === undefined) void go({ to: '/devices/$id', params: { id: id.trim() } });
        }}
      >
        <label>
          Device id
          <input
            value={id}
            size={42}
            onChange={(e) => {
              setID(e.target.value);
            }}
          />
        </label>
        <Button submit kind="primary" bar={bar}>
          Open
        </Button>
      </form>
      <Filters fields={fields} now={filter} set={(search) => void go({ to: '/devices', search })} />
      <Shown query={q} what="the devices">
        {(d) => (
          <>
            <Table
              label="Devices"
              rows={d.pages.flatMap((p) => p.items)}
              columns={columns}
              id={(x) => x.id ?? ''}
              empty={
                filter.user_id ? 'That user has no device.' : 'No device is known yet: each send remembers those that it reached.'
              }
            />
            <More query={q} />
          </>
        )}
      </Shown>
    </>
  );
}

/** One device: whose it is, how sends to it went, and what can be done with it. */
export function DeviceScreen({ id }: { id: string }): ReactNode {
  const client = useQueryClient();
  const go = useNavigate();
  const may = useBar('write_devices');
  const [asking, setAsking] = useState<'restore' | 'remove' | null>(null);
  const q = useQuery({
    queryKey: ['device', id],
    queryFn: ({ signal }) => call('get', '/v1/devices/{device_id}', { path: { device_id: id }, signal }),
    refetchInterval: 5000,
  });
  const m = useMutation({
    mutationFn: async (verb: 'restore' | 'remove') => {
      const o = { path: { device_id: id } };
      if (verb === 'restore') await call('post', '/v1/devices/{device_id}/restore', { ...o, once: onceKey() });
      else await call('delete', '/v1/devices/{device_id}', o);
    },
    onSuccess: (_, verb) => {
      setAsking(null);
      if (verb === 'remove') void go({ to: '/devices' });
    },
    onSettled: () => client.invalidateQueries(),
  });
  return (
    <Shown query={q} what="the device">
      {(d) => (
        <>
          <h1>
            Device <Text>{d.id ?? id}</Text> {stateOf(d)}
          </h1>
          <div className="actions">
            <Button
              bar={may ?? (d.state === 'quarantined' ? undefined : 'it is not in quarantine')}
              onClick={() => {
                setAsking('restore');
              }}
            >
              Restore
            </Button>
            <Button
              kind="danger"
              bar={may}
              onClick={() => {
                setAsking('remove');
              }}
            >
              Remove
            </Button>
          </div>
          <div className="grid">
            <Card title="Deliveries to it">
              <Facts
                of={[
                  ['In quarantine since', d.quarantined_at ? <Time key="q" at={d.quarantined_at} /> : ''],
                  ['Last success', d.last_success_at ? <Time key="s" at={d.last_success_at} /> : 'none is known'],
                  ['Last failure', d.last_failure],
                  ['It failed', d.last_failure_at ? `${ago(d.last_failure_at)}` : ''],
                ]}
              />
              <p className="faint">A success is noted once a week and device.</p>
            </Card>
            <Card title="Registration">
              <Facts
                of={[
                  ['User', d.user_id],
                  ['Platform', d.platform],
                  ['App version', d.app_version],
                  ['Locale', d.locale],
                  ['Time zone', d.timezone],
                  ['Registered by', d.source],
                  ['Registered', d.created_at ? <Time key="c" at={d.created_at} /> : ''],
                  ['Changed', d.updated_at ? <Time key="u" at={d.updated_at} /> : ''],
                  ['Token', d.token],
                  ['Installation id', d.fid],
                ]}
              />
            </Card>
            <Card title="Attributes">
              {Object.keys(d.attributes ?? {}).length === 0 ? (
                <Empty>It has none.</Empty>
              ) : (
                <Facts of={Object.entries(d.attributes ?? {})} />
              )}
            </Card>
          </div>
          {asking ? (
            <Confirm
              title={asking === 'restore' ? 'Take the device out of quarantine?' : 'Remove the device?'}
              verb={asking === 'restore' ? 'Restore 1 device' : 'Remove 1 device'}
              danger={asking === 'remove'}
              busy={m.isPending}
              error={m.error}
              onYes={() => {
                m.mutate(asking);
              }}
              onNo={() => {
                setAsking(null);
              }}
            >
              <p>
                {asking === 'restore'
                  ? 'The next notification for it is sent to it again. If its address is still dead, it comes back here.'
                  : 'Its registration is deleted. What is sent to its token all the same makes a new one.'}
              </p>
            </Confirm>
          ) : null}
        </>
      )}
    </Shown>
  );
}
