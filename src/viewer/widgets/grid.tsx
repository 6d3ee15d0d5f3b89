import type { ComponentChildren, JSX, TargetedKeyboardEvent } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { bindKeys } from '../keys.ts';
import { type SavedColumn, saveRows } from '../save.ts';

/** A column of a grid. `text` is what is copied and saved; `cell` what is shown where that is more than text. */
export interface Column<R> extends SavedColumn<R> {
  readonly title: string;
  /** CSS width: "7em", "1fr". */
  readonly width: string;
  readonly number?: boolean;
  readonly cell?: (row: R) => ComponentChildren;
  /** Like `cell`, where it depends on the row's place in a tree. */
  readonly grid?: (row: R, at: GridRow<R>) => ComponentChildren;
  /** The exact value, or all of a text that may be cut. */
  readonly hint?: (row: R) => string;
  /** Where there is no room for the text of rows, columns with such a number are not shown, the lowest first. */
  readonly spare?: number;
  /** Sorts the whole answer by this column. */
  readonly onSort?: () => void;
  readonly sorted?: boolean;
}

/** A row on the screen; of a tree with its level (from 1) and, where it has children, whether they are shown. */
export interface GridRow<R> {
  readonly key: string;
  readonly row: R;
  readonly level?: number;
  readonly expanded?: boolean;
  readonly muted?: boolean;
}

interface GridProps<R> {
  /** What the rows are, for a screen reader and for the names of saved files. */
  readonly label: string;
  readonly columns: readonly Column<R>[];
  readonly rows: readonly GridRow<R>[];
  readonly selected: string;
  onSelect(row: R, key: string): void;
  /** Enter or a double click. */
  onOpen?(row: R, key: string): void;
  /** Of trees: opens or closes a row. */
  onToggle?(key: string, expand: boolean): void;
  /** Of trees: opens what is below a row along its hot path. */
  onHotPath?(key: string): void;
  /** Shown in place of no rows. */
  readonly empty: ComponentChildren;
  readonly search?: { readonly value: string; onChange(text: string): void };
  readonly children?: ComponentChildren;
}

/** Height of a row, as in style.css. */
const ROW = 24;
const OVERSCAN = 10;
/** Between columns, and half of it with the padding at both ends of a row. */
const GAP = 12;
/** Least width of a column of text, em; those of figures have theirs. */
const LEAST_TEXT = 9;
/** Columns go before texts are narrower than this, em. */
const TELLING_TEXT = 16;
/** Of the page's font, see style.css. */
const EM = 13;

const least = (width: string, text: number) => (width.endsWith('fr') ? text : Math.min(text, Number.parseFloat(width)));

/** The columns for which there is room in `width` px. */
function fitColumns<R>(columns: readonly Column<R>[], width: number): readonly Column<R>[] {
  const needed = columns.reduce((sum, column) => sum + least(column.width, TELLING_TEXT) * EM + GAP, 0);
  const spare = columns.filter((column) => column.spare !== undefined);
  if (needed <= width || spare.length === 0) return columns;
  const first = spare.reduce((best, column) => (column.spare! < best.spare! ? column : best));
  return fitColumns(
    columns.filter((column) => column !== first),
    width,
  );
}

/**
 * A table or tree of rows of equal height, of which only those in sight are in the document. The grid has the focus and
 * names its selected row, so that arrows walk it (WAI-ARIA grid and treegrid patterns).
 */
export function Grid<R>(props: GridProps<R>): JSX.Element {
  const { label, rows, selected, onSelect, onOpen, empty, search } = props;
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const [width, setWidth] = useState(Number.POSITIVE_INFINITY);
  const columns = fitColumns(props.columns, width);
  const at = rows.findIndex(({ key }) => key === selected);
  useEffect(
    () =>
      watchSize(body.current!, ({ clientWidth, clientHeight }) => {
        setWidth(clientWidth);
        setHeight(clientHeight);
      }),
    [],
  );
  useEffect(() => scrollTo(body.current!, at), [at, selected]);
  const first = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((top + height) / ROW) + OVERSCAN);
  const template = {
    gridTemplateColumns: columns.map(({ width }) => `minmax(${least(width, LEAST_TEXT)}em, ${width})`).join(' '),
  };
  // Narrower panes scroll sideways, so that no figure is cut and no name vanishes.
  const minWidth = `calc(${columns.map(({ width }) => `${least(width, LEAST_TEXT)}em`).join(' + ') || '0px'} + ${columns.length * GAP}px)`;
  const id = `grid-${label.replaceAll(/\W/g, '-')}`;
  const isTree = props.onToggle !== undefined;

  return (
    <div class="grid-pane">
      <Toolbar {...props} />
      <div
        class="grid"
        role={isTree ? 'treegrid' : 'grid'}
        aria-label={label}
        aria-rowcount={rows.length + 1}
        tabIndex={0}
        ref={body}
        aria-activedescendant={at >= first && at < last ? `${id}-${at}` : undefined}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
        onKeyDown={(event) => {
          if (walk(props, at, event)) event.preventDefault();
        }}
      >
        <div class="grid-row grid-head" role="row" style={{ ...template, minWidth }}>
          {columns.map((column) => (
            <div
              key={column.title}
              role="columnheader"
              class={column.number ? 'number' : ''}
              aria-sort={column.onSort ? (column.sorted ? 'descending' : 'none') : undefined}
            >
              {column.onSort ? (
                <button type="button" class="plain" onClick={column.onSort} title={`sort by ${column.title}`}>
                  {column.title}
                  {column.sorted ? ' ▾' : ''}
                </button>
              ) : (
                column.title
              )}
            </div>
          ))}
        </div>
        {rows.length === 0 && (
          <div role="row">
            <div role="gridcell" class="empty">
              {empty}
            </div>
          </div>
        )}
        <div role="presentation" class="grid-rows" style={{ height: `${rows.length * ROW}px`, minWidth }}>
          {rows.slice(first, last).map((one, i) => (
            <div
              key={one.key}
              id={`${id}-${first + i}`}
              role="row"
              class={`grid-row${one.key === selected ? ' selected' : ''}${one.muted ? ' muted' : ''}`}
              style={{ ...template, top: `${(first + i) * ROW}px` }}
              aria-rowindex={first + i + 2}
              aria-selected={one.key === selected}
              aria-level={one.level}
              aria-expanded={one.expanded}
              onClick={() => onSelect(one.row, one.key)}
              onDblClick={() => onOpen?.(one.row, one.key)}
            >
              {columns.map((column) => (
                <div
                  key={column.title}
                  role="gridcell"
                  class={column.number ? 'number' : ''}
                  title={column.hint?.(one.row) ?? (column.number ? undefined : column.text(one.row))}
                >
                  {column.grid?.(one.row, one) ?? column.cell?.(one.row) ?? column.text(one.row)}
                </div>
              ))}
            </div>
          ))}
        </div>
      </div>
      {search && <SearchKey />}
    </div>
  );
}

function Toolbar<R>({ label, columns, rows, search, children }: GridProps<R>): JSX.Element {
  const save = (how: 'text' | 'csv' | 'json') =>
    saveRows(
      label,
      columns,
      rows.map(({ row }) => row),
      how,
    );
  return (
    <div class="toolbar">
      {search && (
        <input
          type="search"
          class="search"
          placeholder="search  /"
          aria-label={`search ${label}`}
          value={search.value}
          onInput={(event) => search.onChange(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter') (document.querySelector('main .grid') as HTMLElement | null)?.focus();
          }}
        />
      )}
      {children}
      <span class="spring" />
      <button type="button" onClick={() => save('text')} title="copy what is listed here as text">
        Copy
      </button>
      <button type="button" onClick={() => save('csv')} title="save what is listed here as CSV">
        CSV
      </button>
      <button type="button" onClick={() => save('json')} title="save what is listed here as JSON">
        JSON
      </button>
    </div>
  );
}

/** "/" goes to the search of the pane in sight. */
export function SearchKey(): null {
  useEffect(
    () =>
      bindKeys({
        keys: ['/'],
        does: 'search in the list',
        run: () => (document.querySelector('main .search') as HTMLInputElement | null)?.focus(),
      }),
    [],
  );
  return null;
}

/** Moves by the key; false when the key is not the grid's. */
function walk<R>(
  { rows, selected, onSelect, onOpen, onToggle, onHotPath }: GridProps<R>,
  at: number,
  { key, currentTarget }: TargetedKeyboardEvent<HTMLDivElement>,
): boolean {
  const select = (to: number): boolean => {
    const target = rows[Math.max(0, Math.min(rows.length - 1, to))];
    if (target !== undefined) onSelect(target.row, target.key);
    return true;
  };
  const page = Math.max(1, Math.floor(currentTarget.clientHeight / ROW) - 2);
  const here = rows[at];
  switch (key) {
    case 'ArrowDown':
      return select(at + 1);
    case 'ArrowUp':
      return select(at < 0 ? 0 : at - 1);
    case 'PageDown':
      return select(at + page);
    case 'PageUp':
      return select(at - page);
    case 'Home':
      return select(0);
    case 'End':
      return select(rows.length - 1);
    case 'Enter':
      if (here === undefined || onOpen === undefined) return false;
      onOpen(here.row, selected);
      return true;
    case 'ArrowRight':
      if (here?.expanded === undefined || onToggle === undefined) return false;
      if (here.expanded) return select(at + 1);
      onToggle(selected, true);
      return true;
    case 'ArrowLeft': {
      if (here === undefined || onToggle === undefined) return false;
      if (here.expanded) onToggle(selected, false);
      else select(rows.findLastIndex(({ level }, i) => i < at && (level ?? 0) < (here.level ?? 0)));
      return true;
    }
    case 'e':
      if (here === undefined || onHotPath === undefined) return false;
      onHotPath(selected);
      return true;
    default:
      return false;
  }
}

function watchSize(element: HTMLElement, onSize: (element: HTMLElement) => void): () => void {
  const observer = new ResizeObserver(() => onSize(element));
  observer.observe(element);
  return () => observer.disconnect();
}

/** Scrolls as little as is needed to see row `at` below the header. */
function scrollTo(element: HTMLElement, at: number): void {
  if (at < 0) return;
  const y = at * ROW;
  if (y < element.scrollTop) element.scrollTop = y;
  else if (y + 2 * ROW > element.scrollTop + element.clientHeight)
    element.scrollTop = y + 2 * ROW - element.clientHeight;
}
