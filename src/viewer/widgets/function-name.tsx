import type { JSX } from 'preact';
import type { Origin, Row } from '../../query/rows.ts';
import { rowName } from '../../wording/rows.ts';
import { lastPartOf } from '../functions.ts';

const ORIGINS: Record<Origin, { readonly mark: string; readonly means: string }> = {
  managed: { mark: '●', means: 'managed code' },
  native: { mark: '◆', means: 'native code' },
  runtime: { mark: '○', means: 'code of the runtime, its framework or the system' },
};

/** A function with a mark for whose code it is, and its module in a lighter shade. */
export function FunctionName({ row }: { readonly row: Row }): JSX.Element {
  if (row.other || row.origin === undefined) return <span class="dim">{rowName(row, 'function')}</span>;
  const { mark, means } = ORIGINS[row.origin];
  const last = lastPartOf(row.name);
  return (
    <span class={`function origin-${row.origin}`}>
      <span class="mark" title={means}>
        {mark}
      </span>
      <span>{row.name.slice(0, last)}</span>
      <span class="last">{row.name.slice(last)}</span>
      {row.module && <span class="module dim">&nbsp; {row.module}</span>}
    </span>
  );
}
