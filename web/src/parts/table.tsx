import { createColumnHelper, tableFeatures, useTable, type RowData } from '@tanstack/react-table';
import { useMemo, type ReactNode } from 'react';

import { Button, Empty } from './basics';

export interface Column<T> {
  name: string;
  cell: (row: T) => ReactNode;
  numeric?: boolean;
}

const features = tableFeatures({});

/** A table that scrolls by itself where the window is narrow, and by the keyboard too. */
export function Table<T extends RowData>(p: {
  label: string;
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string;
  empty: ReactNode;
}): ReactNode {
  const { columns: given } = p;
  const columns = useMemo(() => {
    const helper = createColumnHelper<typeof features, T>();
    return helper.columns(
      given.map((c) => helper.display({ id: c.name, header: c.name, cell: ({ row }) => c.cell(row.original) })),
    );
  }, [given]);
  const table = useTable({ features, columns, data: p.rows, getRowId: p.id });
  if (p.rows.length === 0) return <Empty>{p.empty}</Empty>;
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={p.label}>
      <table>
        <thead>
          {table.getHeaderGroups().map((g) => (
            <tr key={g.id}>
              {g.headers.map((h, i) => (
                <th key={h.id} scope="col" className={given[i]?.numeric ? 'numeric' : undefined}>
                  <table.FlexRender header={h} />
                </th>
              ))}
            </tr>
          ))}
        </thead>
        <tbody>
          {table.getRowModel().rows.map((r) => (
            <tr key={r.id}>
              {r.getAllCells().map((c, i) => (
                <td key={c.id} className={given[i]?.numeric ? 'numeric' : undefined}>
                  <table.FlexRender cell={c} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The button under a list that has more pages. */
export function More({
  query: q,
}: {
  query: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
}): ReactNode {
  if (!q.hasNextPage) return null;
  return (
    <Button
      onClick={() => {
        void q.fetchNextPage();
      }}
      bar={q.isFetchingNextPage ? 'more is being read' : undefined}
    >
      More
    </Button>
  );
}
