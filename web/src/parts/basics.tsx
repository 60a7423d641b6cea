import { useEffect, useId, useRef, type ReactNode } from 'react';

import { Refused } from '../api/client';
import { ago, count, time, timeWithZone, visible, word } from '../format';

/** A button. One that is barred stays reachable, and says why it does nothing. */
export function Button(p: {
  children: ReactNode;
  onClick?: () => void;
  kind?: 'primary' | 'danger' | 'plain';
  submit?: boolean;
  bar?: string | undefined;
  label?: string;
}): ReactNode {
  const why = useId();
  const barred = p.bar !== undefined;
  return (
    <span className="control">
      <button
        type={p.submit ? 'submit' : 'button'}
        className={`button ${p.kind ?? 'plain'}`}
        aria-disabled={barred}
        aria-describedby={barred ? why : undefined}
        aria-label={p.label}
        title={p.bar}
        onClick={(e) => {
          if (barred) e.preventDefault();
          else p.onClick?.();
        }}
      >
        {p.children}
      </button>
      {barred ? (
        <span id={why} className="why" role="tooltip">
          {p.bar}
        </span>
      ) : null}
    </span>
  );
}

export function Loading({ what }: { what: string }): ReactNode {
  return (
    <p className="state" role="status">
      Reading {what} …
    </p>
  );
}

export function Empty({ children }: { children: ReactNode }): ReactNode {
  return <p className="state">{children}</p>;
}

/** An error, in the server's words: what is wrong and what to do. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }): ReactNode {
  const refused = error instanceof Refused ? error : undefined;
  const title =
    refused === undefined
      ? 'The server does not answer'
      : refused.status === 403
        ? 'Not allowed'
        : refused.status === 404
          ? 'There is no such thing'
          : refused.status === 401
            ? 'Not let in'
            : (refused.problem.title ?? 'That did not work');
  const detail = error instanceof Error ? error.message : String(error);
  return (
    <div className="failure" role="alert">
      <strong>{title}</strong>
      <p>{visible(refused ? detail : `${detail}. What is shown may be old; it is asked again.`)}</p>
      {refused?.problem.errors?.map((f, i) => (
        <p key={i}>
          <code>{visible(f.pointer)}</code> {visible(f.detail)}
        </p>
      ))}
      {refused?.problem.request_id ? (
        <p className="faint">
          Request <code>{visible(refused.problem.request_id)}</code>
        </p>
      ) : null}
      {retry ? <Button onClick={retry}>Try again</Button> : null}
    </div>
  );
}

/** What a query has: its data, or why there is none. Old data stays while the server is away, and says so. */
export function Shown<T>(p: {
  query: { data: T | undefined; error: unknown; refetch: () => unknown };
  what: string;
  children: (data: T) => ReactNode;
}): ReactNode {
  const { data, error, refetch } = p.query;
  if (data === undefined) {
    return error ? (
      <Failure
        error={error}
        retry={() => {
          void refetch();
        }}
      />
    ) : (
      <Loading what={p.what} />
    );
  }
  return (
    <>
      {error ? <Failure error={error} /> : null}
      {p.children(data)}
    </>
  );
}

/** A text of others, in which nothing is hidden. */
export function Text({ children }: { children: string | undefined }): ReactNode {
  return children ? <bdi>{visible(children)}</bdi> : null;
}

export function Time({ at }: { at: string | undefined }): ReactNode {
  if (!at) return null;
  return (
    <time dateTime={at} title={`${timeWithZone(at)}, ${ago(at)}`}>
      {time(at)}
    </time>
  );
}

type Tone = 'good' | 'warn' | 'bad' | 'calm';

const tones: Record<string, Tone> = {
  ok: 'good',
  closed: 'good',
  sent: 'good',
  completed: 'good',
  replayed: 'good',
  would_send: 'good',
  degraded: 'warn',
  half_open: 'warn',
  paused: 'warn',
  held: 'warn',
  draining: 'warn',
  uploading: 'calm',
  stopped: 'warn',
  failing: 'bad',
  open: 'bad',
  silent: 'bad',
  permanent: 'bad',
  dead_lettered: 'bad',
  parked: 'bad',
};

/** A state in words; its colour says nothing that the word does not. */
export function Badge({ state, tone }: { state: string; tone?: Tone }): ReactNode {
  return <span className={`badge ${tone ?? tones[state] ?? 'calm'}`}>{visible(word(state))}</span>;
}

export function Card(p: { title: string; children: ReactNode; aside?: ReactNode; wide?: boolean }): ReactNode {
  const id = useId();
  return (
    <section className={p.wide ? 'card wide' : 'card'} aria-labelledby={id}>
      <header>
        <h2 id={id}>{p.title}</h2>
        {p.aside}
      </header>
      {p.children}
    </section>
  );
}

export function Facts({ of }: { of: [string, ReactNode][] }): ReactNode {
  return (
    <dl className="facts">
      {of
        .filter(([, v]) => v !== undefined && v !== null && v !== '' && v !== false)
        .map(([name, v]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{typeof v === 'string' ? <Text>{v}</Text> : v}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A bar of parts of a whole, with the numbers in words for whoever does not see it. */
export function Bar({ parts, whole, label }: { parts: { name: string; n: number }[]; whole: number; label: string }): ReactNode {
  const shown = parts.filter((p) => p.n > 0);
  const said = shown.map((p) => `${count(p.n)} ${word(p.name)}`).join(', ');
  return (
    <div className="bar" role="img" aria-label={`${label}: ${said || 'nothing yet'} of ${count(whole)}`}>
      {shown.map((p) => (
        <span key={p.name} className={`part ${p.name}`} style={{ width: `${String((100 * p.n) / Math.max(1, whole))}%` }} />
      ))}
    </div>
  );
}

/** Asks before something is done that matters: says what, and how many it affects. */
export function Confirm(p: {
  title: string;
  children: ReactNode;
  verb: string;
  danger?: boolean;
  busy?: boolean;
  bar?: string | undefined;
  error?: unknown;
  onYes: () => void;
  onNo: () => void;
}): ReactNode {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const d = ref.current;
    d?.showModal();
    return () => {
      d?.close();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        p.onNo();
      }}
    >
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (p.bar === undefined && !p.busy) p.onYes();
        }}
      >
        <h2 id={id}>{p.title}</h2>
        {p.children}
        {p.error ? <Failure error={p.error} /> : null}
        <div className="actions">
          <Button onClick={p.onNo}>Leave it</Button>
          <Button submit kind={p.danger ? 'danger' : 'primary'} bar={p.busy ? 'it is being done' : p.bar}>
            {p.verb}
          </Button>
        </div>
      </form>
    </dialog>
  );
}
