import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, use, useState, type ReactNode } from 'react';

import { call, remember, type Schemas, type Session } from './api/client';
import { Button, Failure, Loading } from './parts/basics';

export type Permission = Schemas['Permission'];

const Current = createContext<Session | null>(null);

/** Who is signed in. */
export function useSession(): Session {
  const s = use(Current);
  if (s === null) throw new Error('nobody is signed in');
  return s;
}

/** Why the caller may not do what needs a permission, undefined if they may. */
export function useBar(needs: Permission): string | undefined {
  const s = useSession();
  if (s.permissions.includes(needs)) return undefined;
  return `${s.name ?? 'this key'} does not have the permission ${needs}: sign in with a key whose role has it`;
}

async function session(): Promise<Session> {
  const s = await call('get', '/console/session');
  remember(s);
  return s;
}

/** Shows its children to whoever is let in, and to others the way in. */
export function SignedIn({ children }: { children: ReactNode }): ReactNode {
  const q = useQuery({ queryKey: ['session'], queryFn: session, refetchInterval: 15_000 });
  if (q.data === undefined) {
    return (
      <main className="gate">
        {q.error ? <Failure error={q.error} retry={() => void q.refetch()} /> : <Loading what="the session" />}
      </main>
    );
  }
  if (!q.data.signed_in) return <SignIn />;
  return <Current value={q.data}>{children}</Current>;
}

function SignIn(): ReactNode {
  const client = useQueryClient();
  const [key, setKey] = useState('');
  const enter = useMutation({
    mutationFn: () => call('post', '/console/session', { body: { key: key.trim() } }),
    onSuccess: (s) => {
      remember(s);
      client.clear();
      client.setQueryData(['session'], s);
    },
  });
  return (
    <main className="gate">
      <form
        className="card"
        onSubmit={(e) => {
          e.preventDefault();
          enter.mutate();
        }}
      >
        <h1>Belfry console</h1>
        <p>Sign in with an API key of this server. It stays in this browser until it is closed, or until you sign out.</p>
        <label htmlFor="key">API key</label>
        <input
          id="key"
          type="password"
          autoComplete="off"
          autoFocus
          value={key}
          onChange={(e) => {
            setKey(e.target.value);
          }}
        />
        {enter.error ? <Failure error={enter.error} /> : null}
        <Button
          kind="primary"
          submit
          bar={key.trim() === '' ? 'type the key first' : enter.isPending ? 'the server is asked' : undefined}
        >
          Sign in
        </Button>
      </form>
    </main>
  );
}

export function useSignOut(): () => void {
  const client = useQueryClient();
  const m = useMutation({
    mutationFn: () => call('delete', '/console/session'),
    onSettled: () => {
      client.clear();
      window.location.assign('/console');
    },
  });
  return () => {
    m.mutate();
  };
}
