import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { diffLines } from 'diff';
import { useState, type ReactNode } from 'react';

import { call, Once, type Schemas } from '../api/client';
import { visible } from '../format';
import { Confirm } from '../parts/basics';

type Edits = Schemas['ReplayEdits'];

/** The edits of a form, or why they are none. Title and body are what most edits are about; the rest is a JSON Patch. */
export function editsOf(title: string, body: string, patch: string, expireAfter: string): Edits | string {
  let ops: unknown = [];
  if (patch.trim() !== '') {
    try {
      ops = JSON.parse(patch);
    } catch {
      return 'the patch is no JSON';
    }
    if (!Array.isArray(ops)) return 'a JSON Patch is an array of operations';
  }
  const all = [
    ...(title === '' ? [] : [{ op: 'add', path: '/notification/title', value: title }]),
    ...(body === '' ? [] : [{ op: 'add', path: '/notification/body', value: body }]),
    ...(ops as unknown[]),
  ];
  if (all.length === 0 && expireAfter.trim() === '') return 'nothing is changed yet';
  return {
    ...(all.length > 0 ? { patch: all } : {}),
    ...(expireAfter.trim() === '' ? {} : { expire_after: expireAfter.trim() }),
  } as Edits;
}

/** Asks what a replay is to change, and simulates it: the server judges the edits, and nothing is sent. */
export function Edit({
  filter,
  all,
  close,
}: {
  filter: Schemas['DeadLetterFilter'];
  all: boolean;
  close: () => void;
}): ReactNode {
  const client = useQueryClient();
  const go = useNavigate();
  const [title, setTitle] = useState('');
  const [body, setBody] = useState('');
  const [patch, setPatch] = useState('');
  const [expire, setExpire] = useState('');
  const [once] = useState(() => new Once());
  const edits = editsOf(title, body, patch, expire);
  const m = useMutation({
    mutationFn: (edits: Edits) => {
      const body = { filter, all, edits };
      return call('post', '/v1/simulations', { body, once: once.of(body) });
    },
    onSuccess: (s) => {
      client.setQueryData(['simulation', s.id], s);
      void go({ to: '/dead-letters/simulations/$id', params: { id: s.id } });
    },
  });
  return (
    <Confirm
      title="Edit what is replayed"
      verb="Simulate with the edits"
      busy={m.isPending}
      error={m.error}
      bar={typeof edits === 'string' ? edits : undefined}
      onYes={() => {
        if (typeof edits !== 'string') m.mutate(edits);
      }}
      onNo={close}
    >
      <p>The letters stay as they are. Nothing is sent before you have seen what the edits make of a message.</p>
      <label>
        New title
        <input
          value={title}
          onChange={(e) => {
            setTitle(e.target.value);
          }}
        />
      </label>
      <label>
        New body
        <input
          value={body}
          onChange={(e) => {
            setBody(e.target.value);
          }}
        />
      </label>
      <label>
        New deadline, counted from sending, such as 1h
        <input
          value={expire}
          onChange={(e) => {
            setExpire(e.target.value);
          }}
        />
      </label>
      <label>
        More, as a JSON Patch (RFC 6902)
        <textarea
          className="code"
          rows={4}
          placeholder='[{"op":"remove","path":"/data/coupon"}]'
          value={patch}
          onChange={(e) => {
            setPatch(e.target.value);
          }}
        />
      </label>
    </Confirm>
  );
}

/** Two documents, line by line: what goes, what comes, and what stays. */
export function Diff({ before, after, label }: { before: unknown; after: unknown; label: string }): ReactNode {
  const text = (of: unknown): string => `${JSON.stringify(of, null, 2)}\n`;
  const lines = diffLines(text(before), text(after)).flatMap((part) =>
    part.value
      .split('\n')
      .slice(0, -1)
      .map((line) => ({ line, sign: part.added ? '+' : part.removed ? '-' : ' ' })),
  );
  return (
    <pre tabIndex={0} role="region" aria-label={label}>
      {lines.map(({ line, sign }, i) => (
        <span key={i} className={sign === '+' ? 'comes' : sign === '-' ? 'goes' : undefined}>
          {sign} <bdi>{visible(line)}</bdi>
          <br />
        </span>
      ))}
    </pre>
  );
}
