import { useNavigate } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { Button } from '../parts/basics';
import { notificationsRoute } from '../router';
import { Filters, List, states, type Filter } from './list';

const fields = [
  { name: 'state', label: 'State', choices: states },
  { name: 'title', label: 'Title has' },
  { name: 'label', label: 'Label (name=value)' },
  { name: 'sender', label: 'Sender' },
  { name: 'app', label: 'App' },
];

/** Notifications and batches, to be found by their id or by what they say. */
export function Notifications(): ReactNode {
  const filter = notificationsRoute.useSearch();
  const go = useNavigate();
  const [id, setID] = useState('');
  const bar = /^(ntf|bat)_\S+$/.test(id.trim()) ? undefined : 'an id begins with ntf_ or bat_';
  return (
    <>
      <h1>Notifications</h1>
      <form
        className="filters"
        role="search"
        aria-label="By id"
        onSubmit={(e) => {
          e.preventDefault();
          if (bar !== undefined) return;
          const at = id.trim();
          void (at.startsWith('bat_')
            ? go({ to: '/batches/$id', params: { id: at } })
            : go({ to: '/notifications/$id', params: { id: at } }));
        }}
      >
        <label>
          Id
          <input
            value={id}
            size={42}
            placeholder="ntf_…"
            onChange={(e) => {
              setID(e.target.value);
            }}
          />
        </label>
        <Button submit kind="primary" bar={bar}>
          Open
        </Button>
      </form>
      <Filters<Filter> fields={fields} now={filter} set={(search) => void go({ to: '/notifications', search })} />
      <List
        filter={filter}
        label="Notifications"
        empty={
          Object.keys(filter).length > 0 ? (
            'No notification matches the filter.'
          ) : (
            <>
              There is no notification yet. <code>belfry send</code> sends one.
            </>
          )
        }
      />
    </>
  );
}
