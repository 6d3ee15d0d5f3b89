import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { TreeRow } from '../../query/tree.ts';
import { holds } from '../../trace/search.ts';
import type { Unit } from '../../trace/view.ts';
import { formatShare } from '../../wording/figures.ts';
import { rowName } from '../../wording/rows.ts';
import { useAnswer } from '../answers.ts';
import { lastPartOf, qualifiedRow } from '../functions.ts';
import { go, place, view } from '../place.ts';
import { emptyText, exactText, figureText } from '../widgets/figures.tsx';
import { SearchKey } from '../widgets/grid.tsx';
import { Refusal } from '../widgets/refusal.tsx';

const NODES = 1500;
/** Narrower boxes are not drawn; what they stand for is left blank. */
const NARROWEST = 0.0008;

/** Narrower boxes have no room for a name; narrow ones for its last part only. */
const NARROWEST_WITH_NAME = 0.015;
const WIDE_ENOUGH = 0.25;

const search = signal('');
const colour = signal<'origin' | 'module'>('origin');
/** Path of ids of the box that fills the width. */
const zoomed = signal<readonly number[]>([]);
/** Path of the box that keys act on. */
const current = signal<readonly number[]>([]);

interface Box {
  readonly path: readonly number[];
  readonly row: TreeRow;
  /** Left edge and width as shares of the whole. */
  readonly left: number;
  readonly width: number;
}

/** The call tree as boxes whose width is their share; from the roots down, or turned over. */
export function Flame(): JSX.Element {
  const asked = useAnswer('tree', () => ({
    view: view.value,
    direction: place.value.inverted ? 'callers' : 'callees',
    limit: NODES,
  }));
  const { answer, error, waiting } = asked.value;
  const boxes = useMemo(() => layOut(answer?.rows ?? [], [], 0, 0), [answer]);
  if (error !== undefined) return <Refusal text={error} />;
  const focus = findBox(boxes, zoomed.value) ?? { left: 0, width: total(answer?.rows ?? []), path: [] };
  const levels = boxes.filter((level) => level.some((box) => isNear(box, focus)));
  const found = search.value === '' ? undefined : sumFound(answer?.rows ?? [], search.value);
  return (
    <div class="grid-pane">
      <div class="toolbar">
        <input
          type="search"
          class="search"
          placeholder="search  /"
          aria-label="search the flame graph"
          value={search.value}
          onInput={(event) => {
            search.value = event.currentTarget.value;
          }}
        />
        {found !== undefined && <output>{formatShare(found)} under matching functions</output>}
        <label class="check" title="callers above what they called (i)">
          <input
            type="checkbox"
            checked={place.value.inverted}
            onChange={(event) => go({ inverted: event.currentTarget.checked })}
          />
          from what allocated to its callers
        </label>
        <label>
          colour by{' '}
          <select
            value={colour.value}
            onChange={(event) => {
              colour.value = event.currentTarget.value as 'origin' | 'module';
            }}
          >
            <option value="origin">managed, native, runtime</option>
            <option value="module">module</option>
          </select>
        </label>
        {colour.value === 'origin' && <Legend />}
        {zoomed.value.length > 0 && (
          <button
            type="button"
            onClick={() => {
              zoomed.value = [];
            }}
          >
            show all
          </button>
        )}
        <SearchKey />
        <span class="spring" />
        <span class="dim">Enter zooms in, Backspace out</span>
      </div>
      <div
        class={`flame${waiting ? ' waiting' : ''}`}
        role="tree"
        aria-label="flame graph"
        tabIndex={0}
        aria-activedescendant={findBox(boxes, current.value) ? `box-${current.value.join('-')}` : undefined}
        onKeyDown={(event) => {
          if (walk(boxes, event.key)) event.preventDefault();
        }}
      >
        {answer !== undefined && answer.rows.length === 0 && <p class="empty">{emptyText(answer)}</p>}
        {levels.map((level, depth) => (
          <div class="flame-level" role="presentation" key={level[0].path.join('.')}>
            {level
              .filter((box) => isNear(box, focus) && box.width / focus.width >= NARROWEST)
              .map((box) => (
                <FlameBox key={box.path.join('.')} box={box} focus={focus} unit={view.value.unit} depth={depth} />
              ))}
          </div>
        ))}
      </div>
    </div>
  );
}

interface FlameBoxProps {
  readonly box: Box;
  readonly focus: Pick<Box, 'left' | 'width' | 'path'>;
  readonly unit: Unit;
  readonly depth: number;
}

function FlameBox({ box, focus, unit, depth }: FlameBoxProps): JSX.Element {
  const { row, path } = box;
  const left = Math.max(0, (box.left - focus.left) / focus.width);
  const right = Math.min(1, (box.left + box.width - focus.left) / focus.width);
  const name = rowName(row, 'function');
  const isFound = search.value !== '' && holds([name], search.value);
  const isSelected = place.value.fn !== '' && qualifiedRow(row) === place.value.fn;
  const isCurrent = path.join('.') === current.value.join('.');
  const classes = [
    'flame-box',
    row.other
      ? 'other'
      : colour.value === 'origin'
        ? `origin-${row.origin ?? 'runtime'}`
        : moduleClass(row.module ?? ''),
    isFound ? 'found' : '',
    isSelected ? 'selected' : '',
    isCurrent ? 'current' : '',
    search.value !== '' && !isFound ? 'faded' : '',
  ];
  return (
    <div
      id={`box-${path.join('-')}`}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={isSelected}
      aria-label={`${name}, ${figureText(unit, row)}, ${formatShare(row.share)}`}
      class={classes.join(' ')}
      style={{ left: `${left * 100}%`, width: `${(right - left) * 100}%` }}
      title={`${row.module ? `${row.module}!` : ''}${name}\n${figureText(unit, row)} (${formatShare(row.share)})\n${exactText(unit, row[unit])}`}
      onClick={() => choose(box)}
      onDblClick={() => {
        zoomed.value = path;
      }}
    >
      {right - left > NARROWEST_WITH_NAME && (right - left > WIDE_ENOUGH ? name : name.slice(lastPartOf(name)))}
    </div>
  );
}

function choose({ row, path }: Box): void {
  current.value = path;
  if (!row.other) go({ fn: qualifiedRow(row) }, 'replace');
}

/** Boxes by level, each level from left to right. */
function layOut(
  rows: readonly TreeRow[],
  under: readonly number[],
  left: number,
  level: number,
  levels: Box[][] = [],
): Box[][] {
  let at = left;
  for (const row of rows) {
    const width = Math.max(0, row.share);
    if (width === 0) continue;
    levels[level] ??= [];
    const path = [...under, row.id];
    levels[level].push({ path, row, left: at, width });
    layOut(row.children, path, at, level + 1, levels);
    at += width;
  }
  return levels;
}

function findBox(levels: readonly (readonly Box[])[], path: readonly number[]): Box | undefined {
  const key = path.join('.');
  return levels[path.length - 1]?.find((box) => box.path.join('.') === key);
}

/** True for boxes above, below and equal to `focus`. */
function isNear(box: Pick<Box, 'left' | 'width' | 'path'>, focus: Pick<Box, 'left' | 'width' | 'path'>): boolean {
  const shorter = Math.min(box.path.length, focus.path.length);
  return box.path.slice(0, shorter).every((id, i) => id === focus.path[i]);
}

function total(rows: readonly TreeRow[]): number {
  return rows.reduce((sum, row) => sum + Math.max(0, row.share), 0) || 1;
}

/** Share of all that lies under functions whose name holds `text`, each part once. */
function sumFound(rows: readonly TreeRow[], text: string): number {
  return rows.reduce((sum, row) => {
    if (!row.other && holds([row.name], text)) return sum + row.share;
    return sum + sumFound(row.children, text);
  }, 0);
}

function walk(levels: readonly (readonly Box[])[], key: string): boolean {
  const path = current.value;
  const level = levels[path.length - 1] ?? [];
  const at = level.findIndex((box) => box.path.join('.') === path.join('.'));
  const to = (box: Box | undefined): boolean => {
    if (box !== undefined) choose(box);
    return true;
  };
  if (at < 0) return key.startsWith('Arrow') && to(levels[0]?.[0]);
  switch (key) {
    case 'ArrowDown':
      return to(levels[path.length]?.find((box) => isNear(box, level[at])));
    case 'ArrowUp':
      return to(findBox(levels, path.slice(0, -1)));
    case 'ArrowLeft':
      return to(level[at - 1]);
    case 'ArrowRight':
      return to(level[at + 1]);
    case 'Enter':
      zoomed.value = path;
      return true;
    case 'Backspace':
      zoomed.value = zoomed.value.slice(0, -1);
      return true;
    default:
      return false;
  }
}

const MODULE_COLOURS = 8;

function moduleClass(module: string): string {
  let hash = 0;
  for (let i = 0; i < module.length; i++) hash = (Math.imul(hash, 31) + module.charCodeAt(i)) >>> 0;
  return `module-${hash % MODULE_COLOURS}`;
}

function Legend(): JSX.Element {
  return (
    <span class="legend">
      <span class="flame-key origin-managed">managed</span>
      <span class="flame-key origin-native">native</span>
      <span class="flame-key origin-runtime">runtime</span>
    </span>
  );
}
