import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';

/** One event of GET /v1/events: its kind, and the CloudEvent's data. */
export interface Happening {
  kind: string;
  data: Record<string, unknown>;
}

const kinds = [
  'accepted',
  'changed',
  'outcome',
  'completed',
  'held',
  'reconciled',
  'breaker',
  'credential',
  'replay',
  'gap',
] as const;

/** How the stream is: since when it is live, or since when it is not. */
export interface Line {
  live: boolean;
  since: number;
}

/**
 * Follows the events, for as long as the screen is shown. A stream that breaks is opened again by the browser, behind the last
 * event that came; one that was refused, such as while the server starts, by this hook, after 1 s to 10 s.
 */
export function useEvents(address: string | undefined, on: (h: Happening) => void): Line {
  const [line, setLine] = useState<Line>(() => ({ live: false, since: Date.now() }));
  const heard = useRef(on);
  useEffect(() => {
    heard.current = on;
  });
  useEffect(() => {
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wait = 1000;
    if (address === undefined) return;
    const state = (live: boolean): void => {
      setLine((l) => (l.live === live ? l : { live, since: Date.now() }));
    };
    const open = (): void => {
      source = new EventSource(address);
      source.onopen = () => {
        wait = 1000;
        state(true);
      };
      source.onerror = () => {
        state(false);
        if (source?.readyState !== EventSource.CLOSED) return;
        timer = setTimeout(open, wait);
        wait = Math.min(10_000, wait * 2);
      };
      for (const kind of [...kinds, 'progress', 'state', 'done']) {
        source.addEventListener(kind, (e: MessageEvent<string>) => {
          const event = JSON.parse(e.data) as { data?: Record<string, unknown> };
          heard.current({ kind, data: event.data ?? (event as Record<string, unknown>) });
        });
      }
    };
    open();
    return () => {
      clearTimeout(timer);
      source?.close();
    };
  }, [address]);
  return line;
}

/** Has what was read of the API read again when something happens, at most twice a second. */
export function useFresh(): (keys: readonly string[]) => void {
  const client = useQueryClient();
  const due = useRef(new Set<string>());
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    },
    [],
  );
  return (keys) => {
    for (const k of keys) due.current.add(k);
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      for (const k of due.current) void client.invalidateQueries({ queryKey: [k] });
      due.current.clear();
    }, 500);
  };
}
