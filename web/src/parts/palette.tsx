import { useNavigate } from '@tanstack/react-router';
import { useEffect, useId, useRef, useState, type ReactNode } from 'react';

import { setTheme } from '../theme';
import { Button } from './basics';

/** Something that the palette does. */
export interface Command {
  name: string;
  run: () => void;
}

/** The commands that have all words of what was typed, the ones that begin with it first. */
export function matching(all: Command[], typed: string): Command[] {
  const words = typed
    .toLowerCase()
    .split(/\s+/)
    .filter((w) => w !== '');
  const hits = all.filter((c) => words.every((w) => c.name.toLowerCase().includes(w)));
  const begins = (c: Command): number => (c.name.toLowerCase().startsWith(typed.toLowerCase()) ? 0 : 1);
  return hits.sort((a, b) => begins(a) - begins(b));
}

/** Where an id leads, undefined if it is none. */
export function placeOf(
  id: string,
):
  | { to: '/batches/$id' | '/notifications/$id' | '/dead-letters/letters/$id' | '/replays/$id'; params: { id: string } }
  | undefined {
  const [, kind] = /^(bat|ntf|dlt|rpl)_[0-9a-f-]{36}$/.exec(id) ?? [];
  const to = { bat: '/batches/$id', ntf: '/notifications/$id', dlt: '/dead-letters/letters/$id', rpl: '/replays/$id' } as const;
  return kind ? { to: to[kind as keyof typeof to], params: { id } } : undefined;
}

/** The command palette: opened by Ctrl-K, ⌘K or its button. */
export function Palette({ screens }: { screens: readonly (readonly [string, string])[] }): ReactNode {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const on = (e: KeyboardEvent): void => {
      if (e.key.toLowerCase() !== 'k' || !(e.ctrlKey || e.metaKey) || e.altKey || e.shiftKey) return;
      e.preventDefault();
      setOpen((o) => !o && document.querySelector('dialog[open]') === null);
    };
    window.addEventListener('keydown', on);
    return () => {
      window.removeEventListener('keydown', on);
    };
  }, []);
  return (
    <>
      <Button
        onClick={() => {
          setOpen(true);
        }}
      >
        Commands <kbd>Ctrl K</kbd>
      </Button>
      {open ? (
        <Box
          screens={screens}
          close={() => {
            setOpen(false);
          }}
        />
      ) : null}
    </>
  );
}

function Box({ screens, close }: { screens: readonly (readonly [string, string])[]; close: () => void }): ReactNode {
  const go = useNavigate();
  const ref = useRef<HTMLDialogElement>(null);
  const list = useId();
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  useEffect(() => {
    const d = ref.current;
    d?.showModal();
    return () => {
      d?.close();
    };
  }, []);
  const place = placeOf(typed.trim());
  const all: Command[] = [
    ...screens.map(([to, name]): Command => ({ name: `Go to ${name}`, run: () => void go({ to }) })),
    { name: 'New batch', run: () => void go({ to: '/batches/new' }) },
    { name: 'Batches that are sending', run: () => void go({ to: '/batches', search: { state: 'sending' } }) },
    { name: 'Batches that are paused', run: () => void go({ to: '/batches', search: { state: 'paused' } }) },
    {
      name: 'Light theme',
      run: () => {
        setTheme('light');
      },
    },
    {
      name: 'Dark theme',
      run: () => {
        setTheme('dark');
      },
    },
    {
      name: 'System theme',
      run: () => {
        setTheme('system');
      },
    },
  ];
  const found = place ? [{ name: `Open ${typed.trim()}`, run: () => void go(place) }] : matching(all, typed);
  const chosen = Math.min(at, found.length - 1);
  const run = (c: Command | undefined): void => {
    if (!c) return;
    close();
    c.run();
  };
  return (
    <dialog ref={ref} className="palette" aria-label="Commands" onClose={close}>
      <input
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={found.length > 0 ? `${list}-${String(chosen)}` : undefined}
        aria-label="Command, or an id"
        placeholder="A screen, a command, or an id"
        autoFocus
        value={typed}
        onChange={(e) => {
          setTyped(e.target.value);
          setAt(0);
        }}
        onKeyDown={(e) => {
          if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
            e.preventDefault();
            const step = e.key === 'ArrowDown' ? 1 : -1;
            setAt(found.length === 0 ? 0 : (chosen + step + found.length) % found.length);
          } else if (e.key === 'Enter') {
            e.preventDefault();
            run(found[chosen]);
          }
        }}
      />
      <ul id={list} role="listbox" aria-label="Commands">
        {found.map((c, i) => (
          <li
            key={c.name}
            id={`${list}-${String(i)}`}
            role="option"
            aria-selected={i === chosen}
            onClick={() => {
              run(c);
            }}
          >
            {c.name}
          </li>
        ))}
      </ul>
      {found.length === 0 ? <p className="faint">Nothing has that name.</p> : null}
    </dialog>
  );
}
