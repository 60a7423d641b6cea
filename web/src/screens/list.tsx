import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { call, type Schemas } from '../api/client';
import { count } from '../format';
import { Badge, Bar, Button, Shown, Text, Time } from '../parts/basics';
import { More, Table, type Column } from '../parts/table';

type Notification = Schemas['Notification'];

export interface Filter {
  state?: string;
  title?: string;
  label?: string;
  app?: string;
  sender?: string;
}

/** How the outcomes of a notification are drawn, in the order of the bar. */
export const classes = ['sent', 'ambiguous', 'permanent', 'suppressed', 'expired', 'cancelled', 'dead_lettered'] as const;

export const parts = (c: Schemas['Counts'] | undefined): { name: string; n: number }[] =>
  classes.map((name) => ({ name, n: c?.[name] ?? 0 }));

const columns: Column<Notification>[] = [
  {
    name: 'What',
    cell: (n) => {
      const text = <Text>{n.title ?? n.id}</Text>;
      return n.id.startsWith('bat_') ? (
        <Link to="/batches/$id" params={{ id: n.id }}>
          {text}
        </Link>
      ) : (
        <Link to="/notifications/$id" params={{ id: n.id }}>
          {text}
        </Link>
      );
    },
  },
  {
    name: 'State',
    cell: (n) => (
      <>
        <Badge state={n.state} /> <Text>{n.waiting?.text}</Text>
      </>
    ),
  },
  {
    name: 'Outcomes',
    cell: (n) => <Bar label="Outcomes" whole={n.recipients} parts={parts(n.counts)} />,
  },
  { name: 'Recipients', cell: (n) => count(n.recipients), numeric: true },
  { name: 'Open', cell: (n) => (n.counts ? count(n.counts.open) : ''), numeric: true },
  { name: 'Accepted', cell: (n) => <Time at={n.accepted_at} /> },
  { name: 'Sender', cell: (n) => <Text>{n.sender}</Text> },
  {
    name: 'Labels',
    cell: (n) =>
      Object.entries(n.labels ?? {}).map(([name, value]) => (
        <span className="label" key={name}>
          <Text>{`${name}=${value}`}</Text>
        </span>
      )),
  },
];

/** The newest notifications or batches that a filter lets through, read again every five seconds. */
export function List({
  kind,
  filter,
  label,
  empty,
}: {
  kind?: 'batch';
  filter: Filter;
  label: string;
  empty: ReactNode;
}): ReactNode {
  const q = useInfiniteQuery({
    queryKey: ['notifications', kind, filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      call('get', '/v1/notifications', {
        signal,
        query: {
          kind,
          state: filter.state as Schemas['NotificationState'] | undefined,
          title: filter.title,
          label: filter.label ? [filter.label] : undefined,
          app: filter.app,
          sender: filter.sender,
          limit: 25,
          cursor: pageParam,
        } as never,
      }),
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: 5000,
  });
  return (
    <Shown query={q} what={label.toLowerCase()}>
      {(d) => (
        <>
          <Table label={label} rows={d.pages.flatMap((p) => p.items)} columns={columns} id={(n) => n.id} empty={empty} />
          <More query={q} />
        </>
      )}
    </Shown>
  );
}

export interface Field {
  name: string;
  label: string;
  choices?: readonly string[];
  /** What holds if nothing is chosen; any without it. */
  otherwise?: string;
}

/** The filter of a list. What is chosen is in the address, so that a link shows the same. */
export function Filters<F extends object>({ fields, now, set }: { fields: Field[]; now: F; set: (f: F) => void }): ReactNode {
  return (
    <form
      // A filter that comes with a link, or is taken back by the browser, fills the fields anew.
      key={JSON.stringify(now)}
      className="filters"
      role="search"
      onSubmit={(e) => {
        e.preventDefault();
        const out: Record<string, string> = {};
        for (const [name, value] of new FormData(e.currentTarget)) {
          if (typeof value === 'string' && value.trim() !== '') out[name] = value.trim();
        }
        set(out as F);
      }}
    >
      {fields.map((f) => (
        <FieldOf key={f.name} of={f} value={(now as Record<string, string | undefined>)[f.name] ?? ''} />
      ))}
      <Button submit>Filter</Button>
      {Object.keys(now).length > 0 ? (
        <Button
          onClick={() => {
            set({} as F);
          }}
        >
          Show all
        </Button>
      ) : null}
    </form>
  );
}

function FieldOf({ of: f, value }: { of: Field; value: string }): ReactNode {
  const [v, setV] = useState(value);
  return (
    <label>
      {f.label}
      {f.choices ? (
        <select
          name={f.name}
          value={v}
          onChange={(e) => {
            setV(e.target.value);
            e.target.form?.requestSubmit();
          }}
        >
          <option value="">{f.otherwise ?? 'any'}</option>
          {f.choices.map((c) => (
            <option key={c} value={c}>
              {c}
            </option>
          ))}
        </select>
      ) : (
        <input
          name={f.name}
          value={v}
          onChange={(e) => {
            setV(e.target.value);
          }}
        />
      )}
    </label>
  );
}

export const states: readonly Schemas['NotificationState'][] = [
  'uploading',
  'accepted',
  'sending',
  'held',
  'paused',
  'completed',
  'cancelled',
  'dead_lettered',
];
