import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { call, type Schemas } from '../api/client';
import { count, rate, word } from '../format';
import { Badge, Card, Empty, Shown, Text, Time } from '../parts/basics';

/** Why a recipient got a notification or not, step by step. */
export function TraceScreen({ id, recipient }: { id: string; recipient: string }): ReactNode {
  const q = useQuery({
    queryKey: ['trace', id, recipient],
    queryFn: ({ signal }) => call('get', '/v1/notifications/{id}/deliveries/{recipient}', { path: { id, recipient }, signal }),
    refetchInterval: 5000,
  });
  return (
    <>
      <h1>Delivery trace</h1>
      <p>
        <Link to="/notifications/$id" params={{ id }}>
          <code>{id}</code>
        </Link>{' '}
        to <code>{recipient}</code>
      </p>
      <Shown query={q} what="the delivery">
        {(t) => (
          <>
            {t.waiting ? (
              <p className="headline degraded">
                Waits: <Text>{t.waiting.text}</Text>
              </p>
            ) : null}
            {t.refused ? (
              <p className="headline failing">
                The line was refused: <code>{t.refused.pointer}</code> <Text>{t.refused.detail}</Text>
              </p>
            ) : null}
            {t.notes?.map((n) => (
              <p key={n}>
                <Text>{n}</Text>
              </p>
            ))}
            {t.deliveries.length === 0 && !t.refused ? (
              <Empty>This recipient is not in the notification, or is not planned yet.</Empty>
            ) : null}
            {t.deliveries.map((d, i) => (
              <One key={i} of={d} />
            ))}
            {t.more ? <p className="faint">There are more deliveries to this recipient than are shown.</p> : null}
          </>
        )}
      </Shown>
    </>
  );
}

function One({ of: d }: { of: Schemas['TracedDelivery'] }): ReactNode {
  const name = d.device_id ?? d.delivery.device_id ?? d.user_id ?? `hash:${d.delivery.address_hash ?? ''}`;
  return (
    <Card title={name} wide aside={<Badge state={d.delivery.class} tone={d.delivery.class === 'open' ? 'calm' : undefined} />}>
      {d.meaning ? (
        <p>
          <code>{String(d.delivery.code)}</code>: <Text>{d.meaning}</Text>
        </p>
      ) : null}
      {d.delivery.possible_duplicate ? <p>It may have been sent to twice.</p> : null}
      <ol className="timeline" aria-label={`Steps of the delivery to ${name}`}>
        {d.steps.map((s, i) => (
          <li key={i}>
            <span>
              <Time at={s.at} />
            </span>
            <span>
              <strong>{word(s.step)}</strong>
              {s.attempt ? ` ${count(s.attempt)}` : ''}
              {s.code ? (
                <>
                  : <code>{s.code}</code>
                </>
              ) : null}
              {s.latency_ms ? `, ${rate(s.latency_ms)} ms` : ''} <Text>{s.detail}</Text>
            </span>
          </li>
        ))}
      </ol>
    </Card>
  );
}
