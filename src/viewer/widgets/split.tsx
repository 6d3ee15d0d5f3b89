import { signal } from '@preact/signals';
import type { JSX } from 'preact';

/** Sizes of the panes in px as the user left them. */
const KEY = 'memsurge.sizes';
const DEFAULTS = {
  timeline: Math.min(190, Math.round(innerHeight * 0.17)),
  filters: 312,
  code: 500,
  codeBelow: Math.min(280, Math.round(innerHeight * 0.28)),
};
export type Pane = keyof typeof DEFAULTS;

export const sizes = signal<Record<Pane, number>>({ ...DEFAULTS, ...stored() });

function stored(): Partial<Record<Pane, number>> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Record<Pane, number>>;
  } catch {
    return {};
  }
}

function resize(pane: Pane, size: number): void {
  sizes.value = { ...sizes.value, [pane]: Math.max(80, Math.min(1400, Math.round(size))) };
  try {
    localStorage.setItem(KEY, JSON.stringify(sizes.value));
  } catch {
    // No storage: the sizes last as long as the page.
  }
}

interface SplitterProps {
  readonly pane: Pane;
  readonly label: string;
  /** Along which the pane grows; `sign` is −1 where it lies behind the splitter. */
  readonly axis: 'x' | 'y';
  readonly sign: 1 | -1;
}

const STEP = 20;

/** A border between panes that is moved with the pointer or the arrows (WAI-ARIA window splitter). */
export function Splitter({ pane, label, axis, sign }: SplitterProps): JSX.Element {
  const arrows = axis === 'x' ? ['ArrowLeft', 'ArrowRight'] : ['ArrowUp', 'ArrowDown'];
  return (
    <div
      class={`splitter splitter-${axis} splitter-${pane}`}
      role="separator"
      aria-label={`size of ${label}`}
      aria-orientation={axis === 'x' ? 'vertical' : 'horizontal'}
      aria-valuenow={sizes.value[pane]}
      aria-valuemin={80}
      aria-valuemax={1400}
      tabIndex={0}
      onDblClick={() => resize(pane, DEFAULTS[pane])}
      onKeyDown={(event) => {
        const way = arrows.indexOf(event.key);
        if (way < 0) return;
        event.preventDefault();
        resize(pane, sizes.value[pane] + (way === 0 ? -STEP : STEP) * sign);
      }}
      onPointerDown={(event) => {
        const start = axis === 'x' ? event.clientX : event.clientY;
        const before = sizes.value[pane];
        const handle = event.currentTarget;
        handle.setPointerCapture(event.pointerId);
        handle.onpointermove = (move) =>
          resize(pane, before + ((axis === 'x' ? move.clientX : move.clientY) - start) * sign);
        handle.onpointerup = () => {
          handle.onpointermove = null;
        };
      }}
    />
  );
}
