import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { useEffect, useRef, useState, type ReactNode } from 'react';

import { Button } from '../parts/basics';
import { Palette } from '../parts/palette';
import { useSession, useSignOut } from '../session';
import { setTheme, theme, type Theme } from '../theme';

const screens = [
  ['/', 'Overview'],
  ['/send', 'Send'],
  ['/batches', 'Batches'],
  ['/notifications', 'Notifications'],
  ['/dead-letters', 'Dead letters'],
  ['/replays', 'Replays'],
  ['/devices', 'Devices'],
  ['/tenants', 'Tenants'],
  ['/audit', 'Audit'],
  ['/system', 'System'],
] as const;

/** What every screen stands in. */
export function Shell(): ReactNode {
  const session = useSession();
  const signOut = useSignOut();
  const main = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (s) => s.location.pathname });
  const first = useRef(true);
  useEffect(() => {
    const name = screens.findLast(([to]) => path === to || path.startsWith(`${to}/`))?.[1];
    document.title = `${name ?? 'Console'} · Belfry`;
    if (first.current) first.current = false;
    else main.current?.focus(); // a new screen begins where it begins, for the keyboard too
  }, [path]);
  return (
    <>
      <a className="skip" href="#main">
        Skip to the screen
      </a>
      <header className="top">
        <Link to="/" className="brand">
          Belfry
        </Link>
        <nav aria-label="Screens">
          {screens.map(([to, name]) => (
            <Link
              key={to}
              to={to}
              activeOptions={{ exact: to === '/', includeSearch: false }}
              activeProps={{ 'aria-current': 'page' }}
            >
              {name}
            </Link>
          ))}
        </nav>
        <div className="who">
          <Palette screens={screens} />
          <Themes />
          {session.keyless ? (
            <span className="faint">no key needed</span>
          ) : (
            <>
              <span className="faint">{session.name}</span>
              <Button onClick={signOut}>Sign out</Button>
            </>
          )}
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Outlet />
      </main>
      <footer className="faint">
        Belfry {session.version} · <a href="/docs">API</a> · <a href="/metrics">metrics</a> · times are of{' '}
        {Intl.DateTimeFormat().resolvedOptions().timeZone}
      </footer>
    </>
  );
}

function Themes(): ReactNode {
  const [now, setNow] = useState<Theme>(theme);
  return (
    <label className="themes">
      <span className="hidden">Theme</span>
      <select
        value={now}
        onChange={(e) => {
          const t = e.target.value as Theme;
          setTheme(t);
          setNow(t);
        }}
      >
        <option value="system">System theme</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}
