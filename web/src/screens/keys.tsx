import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState, type ReactNode } from 'react';

import { call, Once, onceKey, type Schemas } from '../api/client';
import { visible } from '../format';
import { Badge, Button, Card, Confirm, Empty, Shown, Text, Time } from '../parts/basics';
import { Table, type Column } from '../parts/table';
import { useBar } from '../session';

type Key = Schemas['APIKey'];

interface Asked {
  verb: 'rotate' | 'revoke';
  key: Key;
}

/** The API keys of a tenant. The text of a new one is shown once. */
export function Keys({ tenant }: { tenant: string }): ReactNode {
  const client = useQueryClient();
  const bar = useBar('admin');
  const [asked, setAsked] = useState<Asked | null>(null);
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<Schemas['NewAPIKey'] | null>(null);
  const q = useQuery({
    queryKey: ['keys', tenant],
    queryFn: ({ signal }) => call('get', '/v1/api-keys', { signal, query: { tenant } as never }),
    enabled: bar === undefined,
  });
  const query = { tenant } as never;
  const m = useMutation({
    mutationFn: async ({ verb, key }: Asked) => {
      if (verb === 'rotate') {
        return await call('post', '/v1/api-keys/{id}/rotate', { path: { id: key.id }, query, body: {}, once: onceKey() });
      }
      await call('delete', '/v1/api-keys/{id}', { path: { id: key.id }, query });
      return null;
    },
    onSuccess: (made) => {
      setAsked(null);
      setMade(made);
    },
    onSettled: () => client.invalidateQueries(),
  });
  const columns = useMemo(
    (): Column<Key>[] => [
      { name: 'Key', cell: (k) => <code>{k.id}</code> },
      { name: 'Name', cell: (k) => <Text>{k.name}</Text> },
      { name: 'Role', cell: (k) => [k.role, ...(k.scopes ?? [])].join(', ') },
      { name: 'App', cell: (k) => k.app ?? 'all' },
      { name: 'State', cell: (k) => <Badge state={k.state} tone={k.state === 'live' ? 'good' : 'calm'} /> },
      { name: 'Used', cell: (k) => (k.used_at ? <Time at={k.used_at} /> : 'never') },
      { name: 'Ends', cell: (k) => (k.expires_at ? <Time at={k.expires_at} /> : 'never') },
      {
        name: 'Do',
        cell: (k) => (
          <div className="actions">
            {(['rotate', 'revoke'] as const).map((verb) => (
              <Button
                key={verb}
                kind={verb === 'revoke' ? 'danger' : 'plain'}
                bar={k.state === 'live' ? undefined : 'it opens nothing any more'}
                label={visible(`${verb === 'rotate' ? 'Rotate' : 'Revoke'} ${k.name ?? k.id}`)}
                onClick={() => {
                  m.reset();
                  setAsked({ verb, key: k });
                }}
              >
                {verb === 'rotate' ? 'Rotate' : 'Revoke'}
              </Button>
            ))}
          </div>
        ),
      },
    ],
    [m],
  );
  return (
    <Card
      title="API keys"
      wide
      aside={
        <Button
          bar={bar}
          onClick={() => {
            setMaking(true);
          }}
        >
          New key …
        </Button>
      }
    >
      {bar === undefined ? (
        <Shown query={q} what="the keys">
          {(list) => (
            <Table
              label="API keys"
              rows={list.items}
              columns={columns}
              id={(k) => k.id}
              empty="It has no key: nobody can use it."
            />
          )}
        </Shown>
      ) : (
        <Empty>{bar}</Empty>
      )}
      {making ? (
        <NewKey
          tenant={tenant}
          close={(made) => {
            setMaking(false);
            setMade(made);
          }}
        />
      ) : null}
      {asked ? (
        <Confirm
          title={visible(`${asked.verb === 'rotate' ? 'Rotate' : 'Revoke'} the key ${asked.key.name ?? asked.key.id}?`)}
          verb={asked.verb === 'rotate' ? 'Make its successor' : 'Revoke 1 key'}
          danger={asked.verb === 'revoke'}
          busy={m.isPending}
          error={m.error}
          onYes={() => {
            m.mutate(asked);
          }}
          onNo={() => {
            setAsked(null);
          }}
        >
          <p>
            {asked.verb === 'rotate'
              ? 'A new key that may do the same is made. The old one works for 24 hours more.'
              : 'Within five seconds no server takes it, for good. Whoever uses it is locked out.'}
          </p>
        </Confirm>
      ) : null}
      {made ? (
        <Made
          of={made}
          close={() => {
            setMade(null);
          }}
        />
      ) : null}
    </Card>
  );
}

/** The text of a key that was just made, which nobody can ask for again. */
function Made({ of: made, close }: { of: Schemas['NewAPIKey']; close: () => void }): ReactNode {
  return (
    <Confirm title={visible(`The key ${made.api_key.name ?? made.api_key.id}`)} verb="I have kept it" onYes={close} onNo={close}>
      <p>This is the only time that it is shown.</p>
      <label>
        Key
        <input
          readOnly
          value={made.key ?? 'it was shown with the first answer'}
          onFocus={(e) => {
            e.target.select();
          }}
        />
      </label>
      {made.notes?.map((n) => (
        <p key={n}>
          <Text>{n}</Text>
        </p>
      ))}
    </Confirm>
  );
}

function NewKey({ tenant, close }: { tenant: string; close: (made: Schemas['NewAPIKey'] | null) => void }): ReactNode {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [role, setRole] = useState('sender');
  const [once] = useState(() => new Once());
  const roles = useQuery({
    queryKey: ['roles', tenant],
    queryFn: ({ signal }) => call('get', '/v1/roles', { signal, query: { tenant } as never }),
  });
  const m = useMutation({
    mutationFn: () => {
      const body = { name: name.trim() || undefined, role };
      return call('post', '/v1/api-keys', { query: { tenant } as never, body, once: once.of(body) });
    },
    onSuccess: close,
    onSettled: () => client.invalidateQueries(),
  });
  return (
    <Confirm
      title={visible(`A new key of ${tenant}`)}
      verb="Make it"
      busy={m.isPending}
      error={m.error}
      onYes={() => {
        m.mutate();
      }}
      onNo={() => {
        close(null);
      }}
    >
      <label>
        Name, for people
        <input
          value={name}
          maxLength={100}
          onChange={(e) => {
            setName(e.target.value);
          }}
        />
      </label>
      <label>
        Role
        <select
          value={role}
          onChange={(e) => {
            setRole(e.target.value);
          }}
        >
          {(roles.data?.items ?? [{ name: 'sender' }]).map((r) => (
            <option key={r.name} value={r.name}>
              {r.name}
            </option>
          ))}
        </select>
      </label>
    </Confirm>
  );
}
