import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { call, onceKey, type Schemas } from '../api/client';
import { count, some } from '../format';
import { Badge, Button, Card, Confirm, Failure, Text } from '../parts/basics';
import { blank, Choice, Compose, faultsOf, Looks, messageOf, useCheck, Verdict, type Draft } from '../parts/compose';
import { useBar } from '../session';

type Kind = 'user_ids' | 'device_ids' | 'tokens' | 'fids' | 'topic' | 'condition';

const kinds = [
  ['user_ids', 'Users'],
  ['device_ids', 'Devices'],
  ['tokens', 'Tokens'],
  ['fids', 'Installations (fid)'],
  ['topic', 'A topic'],
  ['condition', 'A condition of topics'],
] as const satisfies readonly (readonly [Kind, string])[];

const priorities = [
  ['normal', 'normal'],
  ['high', 'high'],
  ['bulk', 'bulk'],
] as const;

/** The target of what was written, one name a line. */
function target(kind: Kind, text: string): Schemas['Target'] | undefined {
  const names = text
    .split('\n')
    .map((l) => l.trim())
    .filter((l) => l !== '');
  if (names.length === 0) return undefined;
  return kind === 'topic' || kind === 'condition' ? { [kind]: names.join(' ') } : { [kind]: names };
}

/** Where the test device is remembered: until this window is closed. */
const testKey = 'belfry.test-device';

/** Writes a notification, shows how it looks, and sends it. */
export function Send(): ReactNode {
  const go = useNavigate();
  const client = useQueryClient();
  const may = useBar('send');
  const [draft, setDraft] = useState<Draft>(blank);
  const [kind, setKind] = useState<Kind>('user_ids');
  const [to, setTo] = useState('');
  const [priority, setPriority] = useState<Schemas['Priority']>('normal');
  const [asking, setAsking] = useState(false);
  const [once, setOnce] = useState('');
  const { message, fault } = messageOf(draft);
  const empty = message === undefined || Object.keys(message).length === 0;
  const request: Schemas['Request'] | undefined =
    may === undefined && message !== undefined && !(empty && to.trim() === '')
      ? ({ to: target(kind, to), message, priority } as Schemas['Request'])
      : undefined;
  const check = useCheck(request);
  const found = check.asked ? faultsOf(check.error) : [];
  const preview = check.error ? undefined : check.data?.preview;
  const bar =
    may ??
    (request === undefined
      ? fault
        ? 'the JSON of the platforms cannot be read'
        : 'write a message and say to whom'
      : !check.asked
        ? 'the server is asked'
        : found.length > 0
          ? 'the server would refuse it: see what it says'
          : undefined);
  const send = useMutation({
    mutationFn: () => call('post', '/v1/notifications', { body: request as Schemas['Request'], once }),
    onSuccess: (n) => {
      void client.invalidateQueries();
      // An answer of 202 has the id.
      void go({ to: '/notifications/$id', params: { id: (n as unknown as Schemas['Notification']).id } });
    },
  });
  const sends = preview?.sends ?? 0;
  const whom = preview && preview.by_platform.topic > 0 ? 'whoever subscribes' : some(sends, 'device');
  return (
    <>
      <h1>Send</h1>
      <div className="grid">
        <Card title="Message">
          <div className="form">
            <Choice label="To" value={kind} of={kinds} set={setKind} />
            <label>
              {kind === 'topic' || kind === 'condition' ? 'Which' : 'Which, one a line'}
              <textarea
                rows={kind === 'topic' || kind === 'condition' ? 1 : 3}
                value={to}
                onChange={(e) => {
                  setTo(e.target.value);
                }}
              />
            </label>
            <Compose of={draft} set={setDraft} faults={found} fault={fault} />
            <Choice label="Priority" value={priority} of={priorities} set={setPriority} />
          </div>
        </Card>
        <div className="column">
          <Looks message={check.data?.message ?? message ?? {}} sizes={preview?.sizes} />
          <Card title="What would happen">
            {request === undefined ? (
              <p className="faint">{bar}.</p>
            ) : (
              <Verdict faults={found} asked={check.asked} good={preview ? <WhatWouldHappen of={preview} whom={whom} /> : null} />
            )}
            <div className="actions">
              <Button
                kind="primary"
                bar={bar}
                onClick={() => {
                  send.reset();
                  setOnce(onceKey());
                  setAsking(true);
                }}
              >
                Send to {preview ? whom : '…'} …
              </Button>
            </div>
          </Card>
          <TestDevice message={message} bar={may ?? (empty ? 'write a message first' : undefined)} />
        </div>
      </div>
      {asking ? (
        <Confirm
          title={`Send it to ${whom}?`}
          verb={preview && preview.by_platform.topic > 0 ? 'Send' : `Send to ${count(sends)}`}
          busy={send.isPending}
          error={send.error}
          onYes={() => {
            send.mutate();
          }}
          onNo={() => {
            setAsking(false);
          }}
        >
          <p>It is sent at once, and cannot be taken back from a device that has it.</p>
        </Confirm>
      ) : null}
    </>
  );
}

function WhatWouldHappen({ of: p, whom }: { of: Schemas['Preview']; whom: string }): ReactNode {
  const by = (['android', 'ios', 'web', 'unknown'] as const).filter((k) => p.by_platform[k] > 0);
  return (
    <>
      <p>
        <Badge state="valid" tone="good" /> It would go to {whom}
        {by.length > 0
          ? ` (${by.map((k) => `${count(p.by_platform[k])} ${k === 'unknown' ? 'of an unknown platform' : k}`).join(', ')})`
          : ''}
        .
      </p>
      {p.no_device > 0 ? (
        <p>
          Without a device, so that nothing is sent for them: {count(p.no_device)} (
          <Text>{(p.no_device_names ?? []).join(', ')}</Text>).
        </p>
      ) : null}
      {p.quarantined > 0 ? <p>In quarantine, and not sent to: {some(p.quarantined, 'device')}.</p> : null}
      {p.duplicates > 0 ? <p>Named again, and sent to once: {count(p.duplicates)}.</p> : null}
      <p className="faint">Not checked: {(p.not_checked ?? []).join('; ')}.</p>
    </>
  );
}

/** One device that a draft is tried on. */
function TestDevice({ message, bar }: { message: Schemas['Message'] | undefined; bar: string | undefined }): ReactNode {
  const [kind, setKind] = useState<'device_ids' | 'tokens'>(() =>
    sessionStorage.getItem(`${testKey}.kind`) === 'tokens' ? 'tokens' : 'device_ids',
  );
  const [device, setDevice] = useState(() => sessionStorage.getItem(testKey) ?? '');
  const m = useMutation({
    mutationFn: (once: string) => {
      sessionStorage.setItem(testKey, device.trim());
      sessionStorage.setItem(`${testKey}.kind`, kind);
      const body = { to: { [kind]: [device.trim()] }, message, priority: 'high', ttl: '5m', labels: { test: 'console' } };
      return call('post', '/v1/notifications', { body: body as unknown as Schemas['Request'], once });
    },
  });
  const id = (m.data as unknown as Schemas['Notification'] | undefined)?.id;
  const q = useQuery({
    queryKey: ['notification', id, 'test'],
    enabled: id !== undefined,
    queryFn: ({ signal }) => call('get', '/v1/notifications/{id}', { path: { id: id ?? '' }, signal }),
    refetchInterval: (x) =>
      x.state.data && ['completed', 'dead_lettered', 'cancelled'].includes(x.state.data.state) ? false : 500,
  });
  const codes = Object.keys(q.data?.counts?.by_code ?? {}).filter((c) => c !== 'open');
  return (
    <Card title="Try it on a device">
      <div className="filters">
        <Choice
          label="Named by"
          value={kind}
          of={[
            ['device_ids', 'device id'],
            ['tokens', 'token'],
          ]}
          set={setKind}
        />
        <label>
          Test device
          <input
            value={device}
            onChange={(e) => {
              setDevice(e.target.value);
            }}
          />
        </label>
        <Button
          bar={bar ?? (device.trim() === '' ? 'name the device first' : m.isPending ? 'it is being sent' : undefined)}
          onClick={() => {
            m.mutate(onceKey());
          }}
        >
          Send a test
        </Button>
      </div>
      {m.error ? <Failure error={m.error} /> : null}
      {id ? (
        <p role="status">
          <Link to="/notifications/$id" params={{ id }}>
            The test
          </Link>{' '}
          <Badge state={q.data?.state ?? 'accepted'} />{' '}
          {codes.map((c) => (
            <code key={c}>{c} </code>
          ))}
        </p>
      ) : (
        <p className="faint">
          It is labelled test=console, expires after five minutes, and the device is remembered until this window is closed.
        </p>
      )}
    </Card>
  );
}
