import { Link, useNavigate } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { batchesRoute } from '../router';
import { Filters, List, states, type Filter } from './list';

const fields = [
  { name: 'state', label: 'State', choices: states },
  { name: 'title', label: 'Title has' },
  { name: 'label', label: 'Label (name=value)' },
  { name: 'app', label: 'App' },
];

/** The batches, the newest first. */
export function Batches(): ReactNode {
  const filter = batchesRoute.useSearch();
  const go = useNavigate();
  return (
    <>
      <h1>Batches</h1>
      <p>
        <Link to="/batches/new" className="button primary">
          New batch
        </Link>
      </p>
      <Filters<Filter> fields={fields} now={filter} set={(search) => void go({ to: '/batches', search })} />
      <List
        kind="batch"
        filter={filter}
        label="Batches"
        empty={
          Object.keys(filter).length > 0 ? (
            'No batch matches the filter.'
          ) : (
            <>
              There is no batch yet. <Link to="/batches/new">New batch</Link> or <code>belfry batch create</code> makes one.
            </>
          )
        }
      />
    </>
  );
}
