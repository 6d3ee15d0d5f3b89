import { Command } from 'commander';
import { type TreeRow, tree } from '../../query/tree.ts';
import { TraceError } from '../../trace/errors.ts';
import { formatBytes, formatCount, formatError, formatShare } from '../../wording/figures.ts';
import { nothingText, rowName } from '../../wording/rows.ts';
import { addHelp, FILTER_HELP } from '../help.ts';
import { printAnswerWarnings, printHeadline, printJson } from '../print.ts';
import type { Shell } from '../shell.ts';
import { formatTable } from '../table.ts';
import { shorten, wrap } from '../terminal.ts';
import { addViewOptions, openView, type ViewOptions } from '../view-options.ts';

const DEFAULT_NODES = 40;
const DEFAULT_JSON_NODES = 1000;

export function treeCommand(shell: Shell): Command {
  const command = new Command('tree')
    .summary('show the call tree of the allocations')
    .description('The call tree of the allocations, heaviest path first.')
    .argument('<trace>', 'a .memsurge file, the folder of a recording, or a .nettrace')
    .option('--callers', 'start at the functions that allocated and show who called them')
    .option(
      '--flat',
      'with --json: rows one behind the other, each with the index of its parent (other readers limit nesting)',
    );
  addViewOptions(
    command,
    `nodes shown, the heaviest ones; the rest becomes "other" (default ${DEFAULT_NODES}, ${DEFAULT_JSON_NODES} with --json)`,
    'foldsSystem',
  ).action(async (path: string, options: ViewOptions & { callers?: true; flat?: true }) => {
    if (options.flat && !options.json) throw new TraceError('--flat needs --json');
    const opened = await openView(shell, path, options);
    const { trace, view } = opened;
    const limit = options.limit ?? (options.json ? DEFAULT_JSON_NODES : DEFAULT_NODES);
    const answer = tree(trace, view, options.callers ? 'callers' : 'callees', { limit });
    if (options.json) {
      printJson(shell, options.flat ? { ...answer, rows: flat(answer.rows) } : answer);
      return;
    }
    printHeadline(shell, answer, options.callers ? ' · callers below what they called' : '');
    shell.out('');
    shell.out(
      answer.rows.length === 0
        ? wrap(nothingText(answer), shell.width)
        : formatTree(shell, answer.rows, view.unit, answer.accuracy === 'sampled'),
    );
    printAnswerWarnings(shell, answer.warnings, opened);
  });
  return addHelp(
    command,
    shell,
    [
      ...FILTER_HELP,
      'The tree is indented where it branches; a single child stands below its parent after └. ▶ marks the hot path.',
    ],
    ['memsurge tree app.memsurge --hide-system', "memsurge tree app.memsurge --callers --type 'System.Byte[]'"],
  );
}

/** A row without those below it; `parent` is its index in the list, null at the root. */
type FlatRow = Omit<TreeRow, 'children'> & { readonly parent: number | null };

/** Parents come before their children. */
function flat(rows: readonly TreeRow[], parent: number | null = null, into: FlatRow[] = []): FlatRow[] {
  for (const { children, ...row } of rows) flat(children, into.push({ ...row, parent }) - 1, into);
  return into;
}

interface Line {
  readonly row: TreeRow;
  readonly indent: string;
  readonly hot: boolean;
}

function formatTree(shell: Shell, rows: readonly TreeRow[], unit: 'bytes' | 'count', sampled: boolean): string {
  const lines = treeLines(rows, '', false, true);
  const figure = (bytes: number, count: number) => (unit === 'bytes' ? formatBytes(bytes) : formatCount(count));
  const style = (text: string, at: number) => {
    if (lines[at].row.other) return shell.colors.dim(text);
    return lines[at].hot ? shell.colors.bold(text) : text;
  };
  return formatTable(
    [
      { title: 'Total', align: 'right', cells: lines.map(({ row }) => figure(row.bytes, row.count)) },
      { title: 'Share', align: 'right', cells: lines.map(({ row }) => formatShare(row.share)), spare: 3 },
      ...(sampled
        ? [
            {
              title: 'Error',
              align: 'right' as const,
              cells: lines.map(({ row }) => formatError(row.error)),
              style: shell.colors.dim,
              spare: 2,
            },
          ]
        : []),
      {
        title: 'Own',
        align: 'right',
        spare: 1,
        cells: lines.map(({ row }) => (row.ownBytes === 0 || row.other ? '' : figure(row.ownBytes, row.ownCount))),
      },
      {
        title: '  Function',
        cells: lines.map((line) => placeOf(line) + nameOf(line)),
        flexible: true,
        cut: (at, width) => fitLine(lines[at], width),
        style,
      },
    ],
    shell.width,
    shell.colors.bold,
  );
}

const placeOf = ({ hot, indent }: Line) => `${hot ? '▶' : ' '} ${indent}`;
const nameOf = ({ row }: Line) => rowName(row, 'function');

/** The name is cut, not its place in the tree, unless that would leave nothing of the name. */
function fitLine(line: Line, width: number): string {
  const place = placeOf(line).slice(0, Math.floor(width / 2));
  return place + shorten(nameOf(line), width - place.length);
}

/** Depth first; a single child stands at its parent's indent, so that deep stacks stay readable. */
function treeLines(rows: readonly TreeRow[], indent: string, chained: boolean, hotParent: boolean): Line[] {
  const lines: Line[] = [];
  rows.forEach((row, i) => {
    const hot = hotParent && i === 0 && row.other !== true;
    const branches = row.children.length > 1;
    lines.push({ row, indent: chained ? `${indent}└ ` : indent, hot });
    for (const line of treeLines(row.children, branches ? `${indent}  ` : indent, !branches, hot)) lines.push(line);
  });
  return lines;
}
