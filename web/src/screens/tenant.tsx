import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { call, type Schemas } from '../api/client';
import { count } from '../format';
import { Badge, Bar, Card, Empty, Shown, Text, Time } from '../parts/basics';
import { Table, type Column } from '../parts/table';
import { useBar, useSession } from '../session';
import { Credentials } from './credentials';
import { Keys } from './keys';

/** One tenant: what it may use and has used, its apps, credentials, keys, and the settings that hold. */
export function TenantScreen({ tenant }: { tenant: string }): ReactNode {
  const own = useSession().tenant ?? 'default';
  const platform = useBar('platform');
  const others = tenant === own ? undefined : platform;
  return (
    <>
      <h1>
        Tenant <Text>{tenant}</Text>
      </h1>
      {others === undefined ? (
        <div className="grid">
          <Quotas tenant={tenant} />
          <Keys tenant={tenant} />
          <Credentials tenant={tenant} />
          <Usage tenant={tenant} />
          <Effective tenant={tenant} />
        </div>
      ) : (
        <p className="state">It is not your tenant: {others}.</p>
      )}
    </>
  );
}

function Quotas({ tenant }: { tenant: string }): ReactNode {
  const q = useQuery({
    queryKey: ['quotas', tenant],
    queryFn: ({ signal }) => call('get', '/v1/quotas', { signal, query: { tenant } as never }),
    refetchInterval: 5000,
  });
  return (
    <Card title="Quotas and their use" wide>
      <Shown query={q} what="the quotas">
        {(list) =>
          list.items.length === 0 ? (
            <Empty>No quota is set for it: it may use what the server can do.</Empty>
          ) : (
            <ul className="entries">
              {list.items.map((x) => (
                <li key={x.policy}>
                  <Bar label={x.quota} whole={x.limit} parts={[{ name: x.left === 0 ? 'permanent' : 'sent', n: x.used }]} />{' '}
                  {count(x.used)} of {count(x.limit)} {x.unit}
                  {x.app ? ` of the app ${x.app}` : ''}
                  {x.key ? (
                    <>
                      {' '}
                      of the key <Text>{x.key}</Text>
                    </>
                  ) : null}
                  ; beyond it {x.over === 'defer' ? 'requests wait' : 'requests are refused'} <code>{x.quota}</code>
                </li>
              ))}
            </ul>
          )
        }
      </Shown>
    </Card>
  );
}

const dollars = new Intl.NumberFormat(undefined, { style: 'currency', currency: 'USD', maximumFractionDigits: 4 });

const usage: Column<Schemas['Usage']>[] = [
  { name: 'Day (UTC)', cell: (u) => u.day },
  { name: 'Requests', cell: (u) => count(u.requests), numeric: true },
  { name: 'Recipients', cell: (u) => count(u.recipients), numeric: true },
  { name: 'Sent', cell: (u) => count(u.sent), numeric: true },
  { name: 'Permanent', cell: (u) => count(u.permanent), numeric: true },
  { name: 'Dead-lettered', cell: (u) => count(u.dead_lettered), numeric: true },
  { name: 'Open', cell: (u) => count(u.open), numeric: true },
  { name: 'Billable', cell: (u) => count(u.billable_units), numeric: true },
  { name: 'On AWS about', cell: (u) => dollars.format(u.cost_usd), numeric: true },
];

function Usage({ tenant }: { tenant: string }): ReactNode {
  const q = useQuery({
    queryKey: ['usage', tenant],
    queryFn: ({ signal }) => call('get', '/v1/usage', { signal, query: { tenant, group: 'day', limit: 31 } as never }),
    refetchInterval: 60_000,
  });
  return (
    <Card title="Usage and cost" wide>
      <Shown query={q} what="the usage">
        {(list) => (
          <>
            <Table
              label="Usage and cost"
              rows={list.items}
              columns={usage}
              id={(u) => u.day ?? ''}
              empty="Nothing was accepted yet."
            />
            <p className="faint">
              Everything accepted until <Time at={list.as_of} />; cost is an estimate by list prices.
            </p>
          </>
        )}
      </Shown>
    </Card>
  );
}

interface Setting {
  name: string;
  value: string;
  from: string | undefined;
}

const settings: Column<Setting>[] = [
  { name: 'Setting', cell: (s) => <code>{s.name}</code> },
  { name: 'Value', cell: (s) => s.value },
  { name: 'From', cell: (s) => (s.from ? <Badge state={s.from} tone="calm" /> : null) },
];

function Effective({ tenant }: { tenant: string }): ReactNode {
  const q = useQuery({
    queryKey: ['configuration', tenant],
    queryFn: ({ signal }) => call('get', '/v1/configuration', { signal, query: { tenant } as never }),
    staleTime: 5000,
  });
  return (
    <Card title="Settings that hold for its app default" wide>
      <Shown query={q} what="the settings">
        {(c) => (
          <Table
            label="Settings"
            rows={Object.entries(c.settings).map(([name, value]): Setting => ({
              name,
              value: String(value),
              from: c.from[name],
            }))}
            columns={settings}
            id={(s) => s.name}
            empty="No setting is known."
          />
        )}
      </Shown>
    </Card>
  );
}
