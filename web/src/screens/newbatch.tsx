import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { call, onceKey, upload, type Schemas } from '../api/client';
import { count, some } from '../format';
import { Badge, Button, Card, Confirm, Failure, Text } from '../parts/basics';
import { blank, Choice, Compose, faultsOf, Looks, messageOf, useCheck, Verdict, type Draft } from '../parts/compose';
import { Table, type Column } from '../parts/table';
import { useBar } from '../session';

interface Tried {
  id: string;
  file: string;
  /** The message and the pace that it was made with. */
  made: string;
  got: Schemas['UploadResult'];
}

const lines: Column<Schemas['LineError']>[] = [
  { name: 'Line', cell: (e) => count(e.line), numeric: true },
  { name: 'Where', cell: (e) => <code>{e.pointer}</code> },
  { name: 'What is wrong', cell: (e) => <Text>{e.detail}</Text> },
];

const priorities = [
  ['bulk', 'bulk'],
  ['normal', 'normal'],
  ['high', 'high'],
] as const;

/** Makes a batch of a file. Nothing is sent before it is started, so the upload is its own dry run. */
export function NewBatch(): ReactNode {
  const go = useNavigate();
  const client = useQueryClient();
  const may = useBar('send');
  const mayDrop = useBar('manage');
  const [draft, setDraft] = useState<Draft>(blank);
  const [priority, setPriority] = useState<Schemas['Priority']>('bulk');
  const [pace, setPace] = useState('');
  const [file, setFile] = useState<File | null>(null);
  const [tried, setTried] = useState<Tried | null>(null);
  const [asking, setAsking] = useState(false);
  const [once, setOnce] = useState('');
  const { message, fault } = messageOf(draft);
  const empty = message === undefined || Object.keys(message).length === 0;
  const made = { message, priority, ...(pace.trim() === '' ? {} : { throttle: { per_second: Number(pace) } }) };
  // The server checks a notification only: the message is that of one to somebody, and the pace is judged when the batch is made.
  const request =
    may !== undefined || empty ? undefined : ({ to: { tokens: ['anybody'] }, message, priority } as Schemas['Request']);
  const check = useCheck(request);
  const found = check.asked ? faultsOf(check.error) : [];
  const drop = (id: string): Promise<unknown> => call('post', '/v1/notifications/{id}/cancel', { path: { id }, once: onceKey() });
  const dry = useMutation({
    mutationFn: async (f: File): Promise<Tried> => {
      if (tried !== null) {
        await drop(tried.id); // it was never started
        setTried(null);
      }
      const b = (await call('post', '/v1/batches', { body: made as Schemas['Request'], once: onceKey() })) as unknown as {
        id: string;
      };
      try {
        return { id: b.id, file: f.name, made: JSON.stringify(made), got: await upload(b.id, f) };
      } catch (e) {
        await drop(b.id).catch(() => undefined); // it expires by itself
        throw e;
      }
    },
    onSuccess: setTried,
    onSettled: () => client.invalidateQueries({ queryKey: ['notifications'] }),
  });
  const start = useMutation({
    mutationFn: (t: Tried) => call('post', '/v1/batches/{id}/start', { path: { id: t.id }, once }),
    onSuccess: (_, t) => {
      void client.invalidateQueries();
      void go({ to: '/batches/$id', params: { id: t.id } });
    },
  });
  const cancel = useMutation({
    mutationFn: (t: Tried) => drop(t.id),
    onSuccess: () => {
      setTried(null);
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['notifications'] }),
  });
  const stale = tried !== null && tried.made !== JSON.stringify(made);
  const barDry =
    may ??
    (fault
      ? 'the JSON of the platforms cannot be read'
      : empty
        ? 'write the message first'
        : file === null
          ? 'choose a file first'
          : !check.asked
            ? 'the server is asked'
            : found.length > 0
              ? 'the server would refuse the message'
              : tried !== null && mayDrop !== undefined
                ? mayDrop
                : dry.isPending
                  ? 'the file is being checked'
                  : undefined);
  const names = tried ? tried.got.accepted - tried.got.duplicates : 0;
  const barStart =
    may ??
    (tried && names === 0
      ? 'no line of the file is good'
      : stale
        ? 'what you wrote has changed since: check the file again'
        : undefined);
  return (
    <>
      <h1>New batch</h1>
      <div className="grid">
        <Card title="Message">
          <div className="form">
            <Compose of={draft} set={setDraft} faults={found} fault={fault} />
            <Choice label="Priority" value={priority} of={priorities} set={setPriority} />
            <label>
              At most so many a second (empty: as fast as FCM allows)
              <input
                inputMode="numeric"
                value={pace}
                onChange={(e) => {
                  setPace(e.target.value);
                }}
              />
            </label>
            {request ? <Verdict faults={found} asked={check.asked} good={<Badge state="valid" tone="good" />} /> : null}
          </div>
        </Card>
        <div className="column">
          <Looks message={check.data?.message ?? message ?? {}} sizes={check.error ? undefined : check.data?.preview?.sizes} />
          <Card title="Recipients">
            <p>
              A file with one recipient a line: NDJSON, or CSV with a header row (<code>token</code>, <code>user_id</code>,{' '}
              <code>device_id</code>, <code>data.name</code> …); also <code>.gz</code> and <code>.zst</code>.
            </p>
            <label>
              File
              <input
                type="file"
                accept=".csv,.ndjson,.jsonl,.json,.txt,.gz,.zst"
                onChange={(e) => {
                  setFile(e.target.files?.[0] ?? null);
                }}
              />
            </label>
            <div className="actions">
              <Button
                kind={tried ? 'plain' : 'primary'}
                bar={barDry}
                onClick={() => {
                  if (file) dry.mutate(file);
                }}
              >
                {tried ? 'Check again' : 'Check the file'}
              </Button>
              {dry.isPending ? <span role="status">The file is uploaded and checked …</span> : null}
            </div>
            <p className="faint">This uploads it. Nothing is sent before you start the batch.</p>
            {dry.error ? <Failure error={dry.error} /> : null}
          </Card>
          {tried ? (
            <Card
              title="The file"
              aside={
                <Link to="/batches/$id" params={{ id: tried.id }}>
                  the batch, not started
                </Link>
              }
            >
              <p role="status">
                <Text>{tried.file}</Text>: {some(names, 'recipient')}
                {tried.got.duplicates > 0 ? `, ${count(tried.got.duplicates)} named again and sent to once` : ''}
                {tried.got.invalid > 0 ? `, ${some(tried.got.invalid, 'line')} refused` : ', no line refused'}.
              </p>
              <p className="faint">
                A token, fid or device id is one device. A user is as many as the user has: they are looked up when sending
                begins.
              </p>
              {tried.got.invalid > 0 ? (
                <>
                  <Table
                    label="Lines that are refused"
                    rows={tried.got.errors ?? []}
                    columns={lines}
                    id={(e) => `${String(e.line)} ${e.pointer}`}
                    empty=""
                  />
                  {tried.got.invalid > (tried.got.errors ?? []).length ? (
                    <p className="faint">The first hundred are shown; the batch’s report has all.</p>
                  ) : null}
                </>
              ) : null}
              <div className="actions">
                <Button
                  kind="primary"
                  bar={barStart}
                  onClick={() => {
                    start.reset();
                    setOnce(onceKey());
                    setAsking(true);
                  }}
                >
                  Start: send to {count(names)} …
                </Button>
                <Button
                  kind="danger"
                  bar={mayDrop ?? (cancel.isPending ? 'it is being discarded' : undefined)}
                  onClick={() => {
                    cancel.mutate(tried);
                  }}
                >
                  Discard
                </Button>
              </div>
              {cancel.error ? <Failure error={cancel.error} /> : null}
            </Card>
          ) : null}
        </div>
      </div>
      {asking && tried ? (
        <Confirm
          title={`Send to ${some(names, 'recipient')}?`}
          verb={`Send to ${count(names)}`}
          busy={start.isPending}
          error={start.error}
          onYes={() => {
            start.mutate(tried);
          }}
          onNo={() => {
            setAsking(false);
          }}
        >
          <p>
            {tried.got.invalid > 0 ? `${some(tried.got.invalid, 'line')} of the file will get nothing. ` : ''}It can be paused and
            cancelled while it runs.
          </p>
        </Confirm>
      ) : null}
    </>
  );
}
