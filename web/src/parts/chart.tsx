import { useEffect, useRef, type ReactNode } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

import { kinds, type Kind, type Series } from '../throughput';

/** What each kind is drawn in: the last of the stack is the uppermost. */
const inks: Record<Kind, string> = {
  sent: '--good',
  suppressed: '--link',
  expired: '--warn',
  cancelled: '--faint',
  ambiguous: '--warn',
  permanent: '--bad',
  dead_lettered: '--ink',
};

/** The sums up to each kind, the uppermost first: what is drawn first lies behind. */
function stacked(s: Series): uPlot.AlignedData {
  let below = s.times.map(() => 0);
  const layers = kinds.map((k) => {
    below = below.map((n, i) => n + (s.of[k][i] ?? 0));
    return below;
  });
  return [s.times, ...layers.reverse()];
}

/** Outcomes a second, stacked. Whoever does not see it reads the same in the words beside it. */
export function Chart({ of, label }: { of: Series | null; label: string }): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  useEffect(() => {
    const at = box.current;
    if (at === null) return;
    const ink = (name: string): (() => string) => {
      return () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    };
    const axis: uPlot.Axis = {
      stroke: ink('--faint'),
      grid: { stroke: ink('--line'), width: 1 },
      ticks: { stroke: ink('--line'), width: 1 },
    };
    const u = new uPlot(
      {
        width: at.clientWidth || 300,
        height: 190,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
        axes: [
          {
            ...axis,
            incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900],
            space: 90,
            values: (_, ticks) => ticks.map((t) => new Date(t * 1000).toLocaleTimeString()),
          },
          { ...axis, size: 56, values: (_, ticks) => ticks.map((t) => t.toLocaleString()) },
        ],
        series: [
          {},
          ...[...kinds].reverse().map((k): uPlot.Series => {
            // Full colour up to the layer below, which covers it.
            return { label: k, stroke: ink(inks[k]), fill: ink(inks[k]), width: 1, points: { show: false } };
          }),
        ],
      },
      stacked({ times: [], of: Object.fromEntries(kinds.map((k) => [k, []])) as unknown as Series['of'] }),
      at,
    );
    plot.current = u;
    const seen = new ResizeObserver(() => {
      u.setSize({ width: at.clientWidth || 300, height: 190 });
    });
    seen.observe(at);
    const dark = new MutationObserver(() => {
      u.redraw(false);
    });
    dark.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    return () => {
      seen.disconnect();
      dark.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, []);
  useEffect(() => {
    if (of) plot.current?.setData(stacked(of));
  }, [of]);
  return <div ref={box} className="chart" role="img" aria-label={label} />;
}
