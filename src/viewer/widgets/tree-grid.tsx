import type { ReadonlySignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Answer } from '../../query/rows.ts';
import type { TreeRow } from '../../query/tree.ts';
import { rowName } from '../../wording/rows.ts';
import type { Asked } from '../answers.ts';
import { qualifiedRow } from '../functions.ts';
import { go, place } from '../place.ts';
import { emptyText, exactText, figureColumns, figureText } from './figures.tsx';
import { FunctionName } from './function-name.tsx';
import { type Column, Grid, type GridRow } from './grid.tsx';
import { Refusal } from './refusal.tsx';

interface TreeGridProps {
  readonly label: string;
  readonly asked: ReadonlySignal<Asked<Answer<TreeRow>>>;
  /** Which of the answer's trees; all of its rows unless told. */
  readonly rows?: (answer: Answer<TreeRow>) => readonly TreeRow[];
  /** Reads what is below a node that was not shown in full; without it such nodes say how much they leave out. */
  readonly more?: (path: readonly number[]) => Promise<readonly TreeRow[]>;
  readonly ownTitle?: string;
  readonly children?: ComponentChildren;
}

type Path = readonly number[];

/** From this share of its parent on a child continues the hot path. */
const HOT = 0.5;

const keyOf = (path: Path): string => path.join('.');

/** A tree of functions that opens along its hot path; what the answer left out is asked for when it is opened. */
export function TreeGrid({ label, asked, rows: pick, more, ownTitle = 'Own', children }: TreeGridProps): JSX.Element {
  const { answer, error, waiting } = asked.value;
  const roots = useMemo(() => (answer === undefined ? [] : (pick?.(answer) ?? answer.rows)), [answer, pick]);
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [loaded, setLoaded] = useState<ReadonlyMap<string, readonly TreeRow[]>>(new Map());
  const [selected, setSelected] = useState('');
  useEffect(() => {
    setLoaded(new Map());
    setOpen(new Set(hotPath(roots, [])));
  }, [roots]);
  if (error !== undefined) return <Refusal text={error} />;

  const childrenOf = (row: TreeRow, path: Path) => loaded.get(keyOf(path)) ?? row.children;
  const load = async (path: Path): Promise<void> => {
    const below = await more?.(path).catch(() => undefined);
    if (below !== undefined) setLoaded((before) => new Map(before).set(keyOf(path), below));
  };
  const expand = (key: string, isOpen: boolean): void => {
    const next = new Set(open);
    if (isOpen) next.add(key);
    else next.delete(key);
    setOpen(next);
    const row = visible.find((one) => one.key === key)?.row;
    if (isOpen && row !== undefined && hidesAll(childrenOf(row, pathOf(key)))) void load(pathOf(key));
  };
  const visible = flatten(roots, [], open, childrenOf);
  const act = (row: TreeRow, key: string): void => {
    if (row.other) void load(pathOf(key).slice(0, -1));
    else go({ fn: qualifiedRow(row) });
  };
  const fn = place.value.fn;
  const shown =
    selected === '' ? (visible.find(({ row }) => fn !== '' && qualifiedRow(row) === fn)?.key ?? '') : selected;
  return (
    <Grid
      label={label}
      columns={answer === undefined ? [] : treeColumns(answer, ownTitle, expand)}
      rows={visible}
      selected={shown}
      onSelect={(row, key) => {
        setSelected(key);
        if (!row.other) go({ fn: qualifiedRow(row) }, 'replace');
      }}
      onOpen={act}
      onToggle={expand}
      onHotPath={(key) => {
        const at = visible.find((one) => one.key === key);
        if (at === undefined) return;
        const below = hotPath(childrenOf(at.row, pathOf(key)), pathOf(key));
        setOpen(new Set([...open, key, ...below]));
        setSelected(below.at(-1) ?? key);
      }}
      empty={waiting || answer === undefined ? 'Adding up …' : emptyText(answer)}
    >
      {children}
    </Grid>
  );
}

function pathOf(key: string): Path {
  return key === '' ? [] : key.split('.').map(Number);
}

/** True when a node's children were all left out of the answer. */
function hidesAll(children: readonly TreeRow[]): boolean {
  return children.length === 1 && children[0].other === true;
}

/** Keys of the nodes to open so that the heaviest path is seen, as long as one child holds most of its parent. */
function hotPath(siblings: readonly TreeRow[], under: Path): string[] {
  const keys: string[] = [];
  let path = under;
  let rows = siblings;
  let whole = rows.reduce((sum, row) => sum + row.share, 0);
  for (;;) {
    const next = rows.find((row) => !row.other && row.share > whole * HOT);
    if (next === undefined) return keys;
    path = [...path, next.id];
    keys.push(keyOf(path));
    rows = next.children;
    whole = next.share;
  }
}

function flatten(
  siblings: readonly TreeRow[],
  under: Path,
  open: ReadonlySet<string>,
  childrenOf: (row: TreeRow, path: Path) => readonly TreeRow[],
): GridRow<TreeRow>[] {
  return siblings.flatMap((row) => {
    const path = [...under, row.id];
    const key = keyOf(path);
    const children = childrenOf(row, path);
    const expanded = open.has(key);
    const self: GridRow<TreeRow> = {
      key,
      row,
      level: path.length,
      ...(children.length > 0 && { expanded }),
      ...(row.other && { muted: true }),
    };
    return expanded ? [self, ...flatten(children, path, open, childrenOf)] : [self];
  });
}

function treeColumns(
  answer: Answer<TreeRow>,
  ownTitle: string,
  expand: (key: string, isOpen: boolean) => void,
): Column<TreeRow>[] {
  const { unit } = answer;
  const own = (row: TreeRow) => (unit === 'bytes' ? row.ownBytes : row.ownCount);
  const ownText = (row: TreeRow) =>
    own(row) === 0 ? '' : figureText(unit, { bytes: row.ownBytes, count: row.ownCount });
  return [
    ...figureColumns<TreeRow>(answer, 'Total'),
    {
      title: ownTitle,
      width: '5.6em',
      number: true,
      spare: 1,
      text: ownText,
      value: own,
      hint: (row) => exactText(unit, own(row)),
    },
    {
      title: 'Function',
      width: '1fr',
      text: (row) => rowName(row, 'function'),
      grid: (row, at) => <TreeName row={row} at={at} expand={expand} />,
      hint: (row) => [row.module, rowName(row, 'function')].filter(Boolean).join('!'),
    },
  ];
}

interface TreeNameProps {
  readonly row: TreeRow;
  readonly at: GridRow<TreeRow>;
  expand(key: string, isOpen: boolean): void;
}

function TreeName({ row, at, expand }: TreeNameProps): JSX.Element {
  const isLeaf = at.expanded === undefined;
  return (
    <span class="tree-name" style={{ paddingLeft: `${Math.min(40, (at.level ?? 1) - 1) * 12}px` }}>
      {isLeaf ? (
        <span class="twisty" />
      ) : (
        <button
          type="button"
          class="plain twisty"
          tabIndex={-1}
          aria-hidden="true"
          onClick={(event) => {
            event.stopPropagation();
            expand(at.key, !at.expanded);
          }}
        >
          {at.expanded ? '▾' : '▸'}
        </button>
      )}
      <FunctionName row={row} />
    </span>
  );
}
