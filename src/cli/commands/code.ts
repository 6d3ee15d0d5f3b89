import { Command } from 'commander';
import { type CodeAnswer, code } from '../../query/code.ts';
import type { Row } from '../../query/rows.ts';
import type { Source } from '../../read/source.ts';
import { formatBytes, formatCount, formatError, formatShare } from '../../wording/figures.ts';
import { NEAR_MEANS, rowName } from '../../wording/rows.ts';
import { addHelp, FILTER_HELP } from '../help.ts';
import { printAnswerWarnings, printHeadline, printJson } from '../print.ts';
import type { Shell } from '../shell.ts';
import { formatTable } from '../table.ts';
import { cutEnd, wrap } from '../terminal.ts';
import { addViewOptions, openView, sourceRootOption, type ViewOptions } from '../view-options.ts';

/** Lines shown before and after the function. */
const CONTEXT = 2;
const DEFAULT_LINES = 200;

interface CodeOptions extends ViewOptions {
  readonly sourceRoot?: readonly string[];
}

export function codeCommand(shell: Shell): Command {
  const command = new Command('code')
    .summary("show a function's source with the bytes of each line")
    .description('The source of a function with the bytes that each line allocated.')
    .argument('<trace>', 'a .memsurge file, the folder of a recording, or a .nettrace')
    .argument('<function>', 'name of the function, or its last part');
  command.addOption(sourceRootOption());
  addViewOptions(command, `source lines shown (default ${DEFAULT_LINES})`, false).action(
    async (path: string, name: string, options: CodeOptions) => {
      const opened = await openView(shell, path, options);
      const { trace, view } = opened;
      const answer = code(trace, view, name);
      const { findSource } = await import('../../read/source.ts');
      const source = await findSource(trace, answer, options.sourceRoot);
      if (options.json) {
        printJson(shell, withText(answer, source));
        return;
      }
      const what = [answer.function, answer.module, answer.path].filter((part) => part !== '').join(' · ');
      shell.out(wrap(what, shell.width));
      printHeadline(shell, answer);
      shell.out('');
      shell.out(formatCode(shell, answer, source.lines, options.limit ?? DEFAULT_LINES));
      if (answer.rows.some(({ near }) => near)) shell.out(shell.colors.dim(wrap(NEAR_MEANS, shell.width)));
      printAnswerWarnings(shell, [...answer.warnings, ...source.warnings], opened);
    },
  );
  return addHelp(
    command,
    shell,
    [
      ...FILTER_HELP,
      "A line's bytes are what it allocated itself or by what it called. The source comes from the trace if it was " +
        'recorded with --with-source, else from where the program was built, if it is the same still, else from below ' +
        '--source-root: for a program built as /build/src/a/b.cs, DIR/src/a/b.cs, DIR/a/b.cs or DIR/b.cs.',
    ],
    [
      'memsurge code app.memsurge LoadCustomerAttachments',
      "memsurge code app.memsurge Program.LoadCustomerAttachments --type 'System.Byte[]'",
    ],
  );
}

const isIn = (answer: CodeAnswer) => (row: Row) => row.file === answer.path;

/** The rows with their source text, for --json. */
function withText(answer: CodeAnswer, source: Source): unknown {
  const text = (row: Row) => (row.file === answer.path && row.line ? source.lines?.[row.line - 1] : undefined);
  return {
    ...answer,
    rows: answer.rows.map((row) => ({ ...row, ...(text(row) !== undefined && { text: text(row) }) })),
    warnings: [...answer.warnings, ...source.warnings],
  };
}

interface Line {
  /** Line number, or what stands for it. */
  readonly label: string;
  readonly text: string;
  readonly row: Row | undefined;
}

function formatCode(shell: Shell, answer: CodeAnswer, source: readonly string[] | undefined, limit: number): string {
  const here = answer.rows.filter(isIn(answer));
  const elsewhere = answer.rows.filter((row) => !here.includes(row));
  const lines = [
    ...(source ? sourceLines(answer, here, source, limit) : here.map(bareLine)),
    ...elsewhere.map((row) => ({ label: '', text: rowName(row, 'line'), row })),
  ];
  const hottest = answer.rows.reduce<Row | undefined>(
    (best, row) => (best && best.share >= row.share ? best : row),
    undefined,
  );
  const figure = (row: Row) => (answer.unit === 'bytes' ? formatBytes(row.bytes) : formatCount(row.count));
  const cell = (text: (row: Row) => string) => lines.map(({ row }) => (row ? text(row) : ''));
  const style = (text: string, at: number) =>
    lines[at].row !== undefined && lines[at].row === hottest ? shell.colors.bold(shell.colors.yellow(text)) : text;
  return formatTable(
    [
      { title: answer.unit === 'bytes' ? 'Bytes' : 'Objects', align: 'right', cells: cell(figure), style },
      { title: 'Share', align: 'right', cells: cell((row) => formatShare(row.share)), style, spare: 2 },
      ...(answer.accuracy === 'sampled'
        ? [
            {
              title: 'Error',
              align: 'right' as const,
              cells: cell((row) => formatError(row.error)),
              style: shell.colors.dim,
              spare: 1,
            },
          ]
        : []),
      { title: 'Line', align: 'right', cells: lines.map(({ label }) => label), style: shell.colors.dim },
      { title: '', cells: lines.map(({ row }) => (row !== undefined && row === hottest ? '▶' : '')), style },
      {
        title: '',
        cells: lines.map(({ text, row }) => text + nearMark(row)),
        flexible: true,
        // Code reads from its beginning.
        cut: (at, width) => cutEnd(lines[at].text, width - nearMark(lines[at].row).length) + nearMark(lines[at].row),
        style,
      },
    ],
    shell.width,
    shell.colors.bold,
  );
}

const nearMark = (row: Row | undefined) => (row?.near ? '  (near)' : '');

const bareLine = (row: Row): Line => ({ label: String(row.line ?? ''), text: '(source not found)', row });

/** The function's lines with a little around them; when cut by the limit, those around the hottest line. */
function sourceLines(answer: CodeAnswer, rows: readonly Row[], source: readonly string[], limit: number): Line[] {
  const numbers = rows
    .map((row) => row.line ?? 0)
    .concat(answer.firstLine, answer.lastLine)
    .filter((line) => line > 0);
  const first = Math.max(1, Math.min(...numbers) - CONTEXT);
  const last = Math.min(source.length, Math.max(...numbers) + CONTEXT);
  const hottest = rows.reduce((best, row) => (row.share > best.share ? row : best), rows[0])?.line ?? first;
  const from = last - first < limit ? first : Math.max(first, Math.min(hottest - (limit >> 1), last - limit + 1));
  const texts = withoutIndent(source.slice(from - 1, Math.min(last, from + limit - 1)));
  const lines = texts.map((text, i): Line => {
    const line = from + i;
    return { label: String(line), text, row: rows.find((row) => row.line === line) };
  });
  const hidden = rows.filter((row) => !lines.some((line) => line.row === row));
  return [...lines, ...hidden.map((row) => ({ label: String(row.line), text: '(not shown)', row }))];
}

/** The lines as far to the left as they go together. */
function withoutIndent(lines: readonly string[]): string[] {
  const texts = lines.map((line) => line.replaceAll('\t', '    '));
  const indent = Math.min(...texts.filter((text) => text.trim() !== '').map((text) => text.search(/\S/)));
  return texts.map((text) => text.slice(Number.isFinite(indent) ? indent : 0));
}
