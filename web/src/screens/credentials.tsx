import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';

import { call, Refused, type Schemas } from '../api/client';
import { Badge, Button, Card, Confirm, Facts, Shown, Text, Time } from '../parts/basics';
import { useBar, useSession } from '../session';

/** The apps of a tenant, each with whose FCM credential it has. */
export function Credentials({ tenant }: { tenant: string }): ReactNode {
  const bar = useBar('admin');
  const [uploading, setUploading] = useState<string | null>(null);
  const q = useQuery({
    queryKey: ['apps', tenant],
    queryFn: ({ signal }) => call('get', '/v1/apps', { signal, query: { tenant } as never }),
  });
  return (
    <Card title="Apps and FCM credentials" wide>
      <Shown query={q} what="the apps">
        {(list) => (
          <ul className="entries">
            {list.items.map((a) => (
              <li key={a.name}>
                <strong>{a.name}</strong> <Text>{a.about}</Text>{' '}
                <Button
                  bar={bar}
                  label={`Upload a credential for the app ${a.name}`}
                  onClick={() => {
                    setUploading(a.name);
                  }}
                >
                  Upload a credential …
                </Button>
                {bar === undefined ? <Credential tenant={tenant} app={a.name} /> : null}
              </li>
            ))}
          </ul>
        )}
      </Shown>
      {uploading !== null ? (
        <Upload
          tenant={tenant}
          app={uploading}
          close={() => {
            setUploading(null);
          }}
        />
      ) : null}
    </Card>
  );
}

function useOwn(tenant: string): boolean {
  return (useSession().tenant ?? 'default') === tenant;
}

function Credential({ tenant, app }: { tenant: string; app: string }): ReactNode {
  const own = useOwn(tenant);
  const q = useQuery({
    queryKey: ['credential', tenant, app],
    queryFn: async ({ signal }) => {
      try {
        return await (own
          ? call('get', '/v1/apps/{app}/credential', { path: { app }, signal })
          : call('get', '/v1/tenants/{tenant}/apps/{app}/credential', { path: { tenant, app }, signal }));
      } catch (e) {
        if (e instanceof Refused && e.status === 404) return null; // it has none
        throw e;
      }
    },
  });
  return (
    <Shown query={q} what="its credential">
      {(c) =>
        c === null ? (
          <p className="faint">It has no credential of its own: it sends with that of the server, if there is one.</p>
        ) : (
          <Facts
            of={[
              ['Google takes it', <Badge key="b" state={c.state} tone={c.state === 'valid' ? 'good' : 'warn'} />],
              ['Why not', c.reason],
              ['Project', c.project],
              ['Account', c.client_email],
              ['Key', c.key_id],
              ['Uploaded', <Time key="t" at={c.since} />],
              ['By', c.by],
              ['Look at', c.warnings?.join('; ')],
            ]}
          />
        )
      }
    </Shown>
  );
}

function Upload({ tenant, app, close }: { tenant: string; app: string; close: () => void }): ReactNode {
  const client = useQueryClient();
  const own = useOwn(tenant);
  const [text, setText] = useState('');
  const [moving, setMoving] = useState(false);
  const m = useMutation({
    mutationFn: () => {
      const body = JSON.parse(text) as Schemas['ServiceAccount'];
      const query = { change_project: moving || undefined } as never;
      return own
        ? call('put', '/v1/apps/{app}/credential', { path: { app }, query, body })
        : call('put', '/v1/tenants/{tenant}/apps/{app}/credential', { path: { tenant, app }, query, body });
    },
    onSuccess: close,
    onSettled: () => client.invalidateQueries(),
  });
  let bar: string | undefined;
  try {
    JSON.parse(text);
  } catch {
    bar = text === '' ? 'choose the key file first' : 'it is no JSON: choose the service-account key file of Firebase';
  }
  return (
    <Confirm
      title={`The FCM credential of ${app}`}
      verb="Check and use it"
      danger
      busy={m.isPending}
      error={m.error}
      bar={bar}
      onYes={() => {
        m.mutate();
      }}
      onNo={close}
    >
      <p>
        Google is asked first; what it refuses is not stored. All that the app sends goes with it within five seconds. It is
        sealed, and never shown again.
      </p>
      <label>
        Service-account key file
        <input
          type="file"
          accept=".json,application/json"
          onChange={(e) => {
            setText(''); // until it is read, what was chosen before must not be sent
            void e.target.files?.[0]?.text().then(setText);
          }}
        />
      </label>
      <label className="check">
        <input
          type="checkbox"
          checked={moving}
          onChange={(e) => {
            setMoving(e.target.checked);
          }}
        />{' '}
        It is of another project: tokens of the old one will not work
      </label>
    </Confirm>
  );
}
