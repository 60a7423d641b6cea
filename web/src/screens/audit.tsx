import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { call, type Schemas } from '../api/client';
import { count } from '../format';
import { Badge, Card, Shown, Text, Time } from '../parts/basics';
import { More, Table, type Column } from '../parts/table';
import { auditRoute } from '../router';
import { useBar } from '../session';
import { Json } from './detail';
import { Filters } from './list';

type Entry = Schemas['AuditEntry'];

/** How a call ended, which its HTTP status tells; a command has none. */
const outcome = (e: Entry): ReactNode =>
  e.code ? <Badge state={e.code} tone="warn" /> : <Badge state={e.status === undefined || e.status < 400 ? 'done' : 'failed'} />;

const columns: Column<Entry>[] = [
  { name: 'No.', cell: (e) => count(e.seq), numeric: true },
  { name: 'When', cell: (e) => <Time at={e.time} /> },
  { name: 'Who', cell: (e) => <Text>{e.who.name}</Text> },
  { name: 'Did', cell: (e) => <code>{e.action}</code> },
  {
    name: 'With',
    cell: (e) => (
      <>
        {e.target?.kind} <Text>{e.target?.id}</Text>
      </>
    ),
  },
  { name: 'Outcome', cell: outcome },
  { name: 'Why', cell: (e) => <Text>{e.reason}</Text> },
  {
    name: 'More',
    cell: (e) => (
      <details>
        <summary aria-label={`More of entry ${String(e.seq)}`}>more</summary>
        <Json of={e} label={`Entry ${String(e.seq)}`} />
      </details>
    ),
  },
];

const fields = [
  { name: 'tenant', label: 'Tenant' },
  { name: 'kind', label: 'Kind', choices: ['change', 'read'] },
  { name: 'action', label: 'Action' },
  { name: 'who', label: 'Who' },
  { name: 'target', label: 'Kind of target' },
  { name: 'target_id', label: 'Id of target' },
  { name: 'since', label: 'Since (2030-01-02T03:04:05Z)' },
];

/** Who did what, the newest first. */
export function Audit(): ReactNode {
  const filter = auditRoute.useSearch();
  const go = useNavigate();
  const bar = useBar('audit');
  const q = useInfiniteQuery({
    queryKey: ['audit', filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      call('get', '/v1/audit', {
        signal,
        query: { ...filter, action: filter.action ? [filter.action] : undefined, limit: 50, cursor: pageParam } as never,
      }),
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: 5000,
    enabled: bar === undefined,
  });
  return (
    <>
      <h1>Audit</h1>
      {bar === undefined ? (
        <>
          <Filters fields={fields} now={filter} set={(search) => void go({ to: '/audit', search })} />
          <Chain tenant={filter.tenant} />
          <Shown query={q} what="the audit log">
            {(d) => (
              <>
                <Table
                  label="Audit log"
                  rows={d.pages.flatMap((p) => p.items)}
                  columns={columns}
                  id={(e) => `${e.tenant}/${String(e.seq)}`}
                  empty={Object.keys(filter).length > 0 ? 'No entry matches the filter.' : 'Nobody has changed anything yet.'}
                />
                <More query={q} />
              </>
            )}
          </Shown>
        </>
      ) : (
        <p className="state">{bar}</p>
      )}
    </>
  );
}

/** Which chains there are, and how each is proved: by its export, which the page does not load. */
function Chain({ tenant }: { tenant: string | undefined }): ReactNode {
  const q = useQuery({
    queryKey: ['audit-tenants'],
    queryFn: ({ signal }) => call('get', '/v1/audit/tenants', { signal }),
    staleTime: 60_000,
  });
  const chains = q.data?.tenants ?? [];
  if (chains.length === 0) return null;
  const of = tenant ?? chains[0] ?? '';
  return (
    <Card title="Is it whole?" wide>
      <p>
        Each entry has the hash of the one before it, and the heads are signed. <code>belfry audit verify</code> proves that
        nothing was edited, removed or moved; it needs the{' '}
        <a href={`/v1/audit/export?tenant=${encodeURIComponent(of)}`} download={`audit-${of}.ndjson`}>
          export of <Text>{of}</Text>
        </a>
        {chains.length > 1 ? `, one of ${count(chains.length)} chains` : ''}.
      </p>
    </Card>
  );
}
