import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { call, Once, type Schemas } from '../api/client';
import { Button, Confirm, Empty, Shown, Text, Time } from '../parts/basics';
import { More, Table, type Column } from '../parts/table';
import { useBar, useSession } from '../session';

const columns: Column<Schemas['Tenant']>[] = [
  {
    name: 'Tenant',
    cell: (t) => (
      <Link to="/tenants/$tenant" params={{ tenant: t.name }}>
        {t.name}
      </Link>
    ),
  },
  { name: 'About', cell: (t) => <Text>{t.about}</Text> },
  { name: 'Made', cell: (t) => (t.created_at ? <Time at={t.created_at} /> : 'with the server') },
  { name: 'By', cell: (t) => <Text>{t.created_by}</Text> },
];

/** The tenants: all of them for the operator of the platform, their own for others. */
export function Tenants(): ReactNode {
  const session = useSession();
  const bar = useBar('platform');
  const [asking, setAsking] = useState(false);
  const q = useInfiniteQuery({
    queryKey: ['tenants'],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => call('get', '/v1/tenants', { signal, query: { limit: 50, cursor: pageParam } as never }),
    getNextPageParam: (page) => page.next_cursor,
    enabled: bar === undefined,
  });
  const own = session.tenant ?? 'default';
  return (
    <>
      <h1>Tenants and keys</h1>
      <div className="actions">
        <Button
          bar={bar}
          onClick={() => {
            setAsking(true);
          }}
        >
          New tenant …
        </Button>
        <Link to="/tenants/$tenant" params={{ tenant: own }}>
          Your own: {own}
        </Link>
      </div>
      {bar === undefined ? (
        <Shown query={q} what="the tenants">
          {(d) => (
            <>
              <Table
                label="Tenants"
                rows={d.pages.flatMap((p) => p.items)}
                columns={columns}
                id={(t) => t.name}
                empty="There is no tenant."
              />
              <More query={q} />
            </>
          )}
        </Shown>
      ) : (
        <Empty>Other tenants are for the operator of the platform.</Empty>
      )}
      {asking ? (
        <NewTenant
          close={() => {
            setAsking(false);
          }}
        />
      ) : null}
    </>
  );
}

function NewTenant({ close }: { close: () => void }): ReactNode {
  const client = useQueryClient();
  const go = useNavigate();
  const [name, setName] = useState('');
  const [about, setAbout] = useState('');
  const [once] = useState(() => new Once());
  const m = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), about: about.trim() || undefined };
      return call('post', '/v1/tenants', { body, once: once.of(body) });
    },
    onSuccess: (t) => void go({ to: '/tenants/$tenant', params: { tenant: t.name } }),
    onSettled: () => client.invalidateQueries(),
  });
  return (
    <Confirm
      title="A new tenant"
      verb="Make it"
      busy={m.isPending}
      error={m.error}
      bar={name.trim() === '' ? 'type its name first' : undefined}
      onYes={() => {
        m.mutate();
      }}
      onNo={close}
    >
      <p>With a second tenant every request needs a key. Its name never changes; next it needs a key and an FCM credential.</p>
      <label>
        Name: 1 to 40 of a–z, 0–9 and -
        <input
          value={name}
          autoFocus
          onChange={(e) => {
            setName(e.target.value);
          }}
        />
      </label>
      <label>
        About it, for people
        <input
          value={about}
          maxLength={500}
          onChange={(e) => {
            setAbout(e.target.value);
          }}
        />
      </label>
    </Confirm>
  );
}
