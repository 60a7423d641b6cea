import { keepPreviousData, useQuery, type UseQueryResult } from '@tanstack/react-query';
import { useEffect, useState, type ReactNode } from 'react';

import { call, Refused, type Schemas } from '../api/client';
import { bytes } from '../format';
import { Card, Text } from './basics';

/** A message as it is written: texts of fields, some of which may not be JSON yet. */
export interface Draft {
  title: string;
  body: string;
  image: string;
  data: [string, string][];
  platforms: string;
}

export const blank: Draft = { title: '', body: '', image: '', data: [['', '']], platforms: '' };

type Fields = Record<string, unknown>;

const object = (v: unknown): v is Fields => typeof v === 'object' && v !== null && !Array.isArray(v);

/** The message of a draft, or what is wrong with the text that should be JSON. All else the server judges. */
export function messageOf(d: Draft): { message?: Schemas['Message']; fault?: string } {
  const message: Fields = {};
  const texts = Object.fromEntries((['title', 'body', 'image'] as const).filter((k) => d[k] !== '').map((k) => [k, d[k]]));
  if (Object.keys(texts).length > 0) message.notification = texts;
  const data = d.data.filter(([k, v]) => k !== '' || v !== '');
  if (data.length > 0) message.data = Object.fromEntries(data);
  if (d.platforms.trim() !== '') {
    let more: unknown;
    try {
      more = JSON.parse(d.platforms);
    } catch (e) {
      return { fault: e instanceof Error ? e.message : String(e) };
    }
    if (!object(more)) return { fault: 'this must be an object, such as {"android": {…}}' };
    for (const [k, v] of Object.entries(more)) {
      const written = message[k];
      message[k] = object(written) && object(v) ? { ...written, ...v } : v;
    }
  }
  return { message: message as Schemas['Message'] };
}

/** What stays the same for a while, so that not each key asks the server. */
function useSettled<T>(value: T, wait = 300): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const t = setTimeout(() => {
      setSettled(value);
    }, wait);
    return () => {
      clearTimeout(t);
    };
  }, [value, wait]);
  return settled;
}

/** What the server says of a request that it only checks. Nothing is stored or sent. */
export function useCheck(request: Schemas['Request'] | undefined): UseQueryResult<Schemas['Notification']> & { asked: boolean } {
  const text = useSettled(request === undefined ? '' : JSON.stringify(request));
  const q = useQuery({
    queryKey: ['check', text],
    enabled: text !== '',
    retry: false,
    gcTime: 10_000,
    staleTime: 10_000,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => {
      const body = { ...(JSON.parse(text) as Schemas['Request']), validate_only: true };
      return call('post', '/v1/notifications', { signal, body });
    },
  });
  return { ...q, asked: request !== undefined && text === JSON.stringify(request) && !q.isFetching };
}

export interface Fault {
  pointer: string;
  detail: string;
}

/** The faults that the server found, or that it could not be asked. */
export function faultsOf(error: unknown): Fault[] {
  if (error === null || error === undefined) return [];
  if (error instanceof Refused) {
    const list = error.problem.errors ?? [];
    return list.length > 0 ? list : [{ pointer: '', detail: error.message }];
  }
  return [{ pointer: '', detail: `The server does not answer: ${error instanceof Error ? error.message : 'it is away'}` }];
}

const at = (faults: Fault[], ...pointers: string[]): Fault[] =>
  faults.filter((f) => pointers.some((p) => f.pointer === p || f.pointer.startsWith(`${p}/`)));

function Faults({ of, id }: { of: Fault[]; id: string }): ReactNode {
  return (
    <span id={id} className="fault" role="status">
      {of.map((f, i) => (
        <span key={i}>
          <Text>{`${f.detail} (${f.pointer})`}</Text>
        </span>
      ))}
    </span>
  );
}

const fieldPointers = [
  '/message/notification/title',
  '/message/notification/body',
  '/message/notification/image',
  '/message/data',
];

/** The fields of a message, each with what the server says of it. */
export function Compose({
  of: d,
  set,
  faults,
  fault,
}: {
  of: Draft;
  set: (d: Draft) => void;
  faults: Fault[];
  fault: string | undefined;
}): ReactNode {
  const rest = at(faults, '/message').filter((f) => at([f], ...fieldPointers).length === 0);
  const text = (name: 'title' | 'body' | 'image', label: string): ReactNode => {
    const found = at(faults, `/message/notification/${name}`);
    const p = {
      value: d[name],
      'aria-invalid': found.length > 0,
      'aria-describedby': `fault-${name}`,
      onChange: (e: { target: { value: string } }) => {
        set({ ...d, [name]: e.target.value });
      },
    };
    return (
      <>
        <label>
          {label}
          {name === 'body' ? <textarea rows={3} {...p} /> : <input {...p} />}
        </label>
        <Faults of={found} id={`fault-${name}`} />
      </>
    );
  };
  const row = (i: number, k: string, v: string): void => {
    const data = d.data.map((x, j): [string, string] => (j === i ? [k, v] : x));
    const last = data.at(-1);
    if (last && (last[0] !== '' || last[1] !== '')) data.push(['', '']);
    set({ ...d, data });
  };
  return (
    <>
      {text('title', 'Title')}
      {text('body', 'Body')}
      {text('image', 'Image (address)')}
      <fieldset>
        <legend>Data</legend>
        {d.data.map(([k, v], i) => (
          <div className="pair" key={i}>
            <input
              aria-label={`Key of data ${String(i + 1)}`}
              placeholder="key"
              value={k}
              onChange={(e) => {
                row(i, e.target.value, v);
              }}
            />
            <input
              aria-label={`Value of data ${String(i + 1)}`}
              placeholder="value"
              value={v}
              onChange={(e) => {
                row(i, k, e.target.value);
              }}
            />
          </div>
        ))}
        <Faults of={at(faults, '/message/data')} id="fault-data" />
      </fieldset>
      <label>
        Platforms (JSON: android, apns, webpush, fcm_options)
        <textarea
          rows={5}
          className="code"
          spellCheck={false}
          placeholder={'{"android": {"notification": {"channel_id": "orders"}}}'}
          value={d.platforms}
          aria-invalid={fault !== undefined || rest.length > 0}
          aria-describedby="fault-platforms"
          onChange={(e) => {
            set({ ...d, platforms: e.target.value });
          }}
        />
      </label>
      <Faults of={fault === undefined ? rest : [{ pointer: 'JSON', detail: fault }]} id="fault-platforms" />
    </>
  );
}

/** What the server says of the whole: that it is good, what stands in no field, or that it is being asked. */
export function Verdict({ faults, asked, good }: { faults: Fault[]; asked: boolean; good: ReactNode }): ReactNode {
  const rest = faults.filter((f) => !f.pointer.startsWith('/message'));
  return (
    <div role="status" className={faults.length > 0 ? 'verdict bad' : 'verdict'}>
      {faults.length === 0 ? (asked ? good : 'The server is asked …') : null}
      {rest.map((f, i) => (
        <p key={i}>
          {f.pointer === '' ? null : <code>{f.pointer}</code>} <Text>{f.detail}</Text>
        </p>
      ))}
      {faults.length > rest.length ? (
        <p>{faults.length - rest.length === 1 ? 'A field has a fault.' : 'Fields have faults.'}</p>
      ) : null}
    </div>
  );
}

const text = (of: unknown, ...path: string[]): string | undefined => {
  let v: unknown = of;
  for (const p of path) v = object(v) ? v[p] : undefined;
  return typeof v === 'string' && v !== '' ? v : undefined;
};

interface Shown {
  name: string;
  platform: 'android' | 'ios' | 'web';
  title?: string | undefined;
  body?: string | undefined;
  image?: string | undefined;
}

/** What each platform shows of a message as it would go out: its own words before those of all. */
export function shownOf(message: unknown): Shown[] {
  const own = (...path: string[]) => {
    return (key: string, common = true): string | undefined =>
      text(message, ...path, key) ?? (common ? text(message, 'notification', key) : undefined);
  };
  const android = own('android', 'notification');
  const alert = own('apns', 'payload', 'aps', 'alert');
  const web = own('webpush', 'notification');
  return [
    { name: 'Android', platform: 'android', title: android('title'), body: android('body'), image: android('image') },
    {
      name: 'iOS',
      platform: 'ios',
      title: alert('title'),
      body: text(message, 'apns', 'payload', 'aps', 'alert') ?? alert('body'),
      image: text(message, 'apns', 'fcm_options', 'image') ?? text(message, 'notification', 'image'),
    },
    { name: 'Web', platform: 'web', title: web('title'), body: web('body'), image: web('image') },
  ];
}

/** How it looks, about: devices draw it as they are set. Images are not loaded, which the page's policy forbids. */
export function Looks({ message, sizes }: { message: unknown; sizes: Schemas['MessageSize'][] | null | undefined }): ReactNode {
  return (
    <Card title="How it looks, about">
      <div className="looks">
        {shownOf(message).map((s) => {
          const size = sizes?.find((x) => x.platform === s.platform);
          return (
            <figure key={s.platform} className={`look ${s.platform}`}>
              <div className="toast">
                <p className="app">
                  <span className="icon" aria-hidden="true" /> Your app <span className="faint">now</span>
                </p>
                {s.title || s.body ? (
                  <>
                    <p className="title">
                      <Text>{s.title}</Text>
                    </p>
                    <p className="body">
                      <Text>{s.body}</Text>
                    </p>
                  </>
                ) : (
                  <p className="faint">Nothing is shown: the app gets the data.</p>
                )}
                {s.image ? <p className="picture">image</p> : null}
              </div>
              <figcaption>
                <strong>{s.name}</strong>{' '}
                {size ? (
                  <>
                    {bytes(size.bytes)} of {bytes(size.limit)}{' '}
                    <meter
                      aria-label={`Bytes used on ${s.name}`}
                      min={0}
                      max={size.limit}
                      high={size.limit * 0.9}
                      value={Math.min(size.bytes, size.limit)}
                    />
                  </>
                ) : (
                  <span className="faint">counted when it is valid</span>
                )}
              </figcaption>
            </figure>
          );
        })}
      </div>
    </Card>
  );
}

/** A choice of words. */
export function Choice<T extends string>(p: {
  label: string;
  value: T;
  of: readonly (readonly [T, string])[];
  set: (v: T) => void;
}): ReactNode {
  return (
    <label>
      {p.label}
      <select
        value={p.value}
        onChange={(e) => {
          p.set(e.target.value as T);
        }}
      >
        {p.of.map(([v, name]) => (
          <option key={v} value={v}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
