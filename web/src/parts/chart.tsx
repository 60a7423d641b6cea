import { useEffect, useRef, type ReactNode } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

/** Two kinds of outcome a second: of the times, in seconds since 1970. */
export interface Series {
  times: number[];
  sent: number[];
  others: number[];
}

/** Outcomes a second, stacked. Whoever does not see it reads the same in the words beside it. */
export function Chart({ of, label }: { of: Series; label: string }): ReactNode {
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
          { label: 'all', stroke: ink('--bad'), fill: ink('--bad-soft'), width: 1, points: { show: false } },
          { label: 'sent', stroke: ink('--good'), fill: ink('--good-soft'), width: 1, points: { show: false } },
        ],
      },
      [[], [], []],
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
    plot.current?.setData([of.times, of.sent.map((n, i) => n + (of.others[i] ?? 0)), of.sent]);
  }, [of]);
  return <div ref={box} className="chart" role="img" aria-label={label} />;
}
