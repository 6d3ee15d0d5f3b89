import { type PageNotes, pageOf } from '../export/html/page.ts';
import type { FunctionSource } from '../export/html/source.ts';
import { code } from '../query/code.ts';
import type { ReportAnswer } from '../query/report.ts';
import { top } from '../query/top.ts';
import { findSource } from '../read/source.ts';
import { TraceError } from '../trace/errors.ts';
import type { Trace } from '../trace/tables.ts';
import { formatBytes } from '../wording/figures.ts';
import { replaceFile } from './replace-file.ts';
import type { Shell } from './shell.ts';

/** Functions of each kind of memory whose source is shown. */
const FUNCTIONS = 3;
/** Lines among which they are looked for. */
const LINES = 20;

/**
 * Writes the report as a page to `path`, with the source of the functions that allocated most if that is wanted.
 * @throws TraceError when it cannot be written, or the trace cannot answer the view's metric.
 */
export async function writePage(
  shell: Shell,
  path: string,
  trace: Trace,
  answers: readonly ReportAnswer[],
  notes: Omit<PageNotes, 'sources'>,
  { withSource, sourceRoots }: { readonly withSource: boolean; readonly sourceRoots: readonly string[] },
): Promise<void> {
  const sources = withSource
    ? await Promise.all(answers.map((answer) => hottestSources(trace, answer, sourceRoots)))
    : [];
  const page = pageOf(trace, answers, { ...notes, sources: sources.flat() });
  await replaceFile(path, page, page.slice(0, page.indexOf('>')));
  shell.err(`memsurge: wrote ${path} (${formatBytes(Buffer.byteLength(page))})`);
}

/** The functions that hold the heaviest lines. */
async function hottestSources(
  trace: Trace,
  { view }: ReportAnswer,
  sourceRoots: readonly string[],
): Promise<FunctionSource[]> {
  const names = top(trace, view, 'line', LINES).rows.flatMap((row) =>
    row.function === undefined ? [] : [`${row.module ?? '?'}!${row.function}`],
  );
  const found: FunctionSource[] = [];
  for (const name of [...new Set(names)].slice(0, FUNCTIONS)) {
    try {
      const answer = code(trace, view, name);
      found.push({ answer, ...(await findSource(trace, answer, sourceRoots)) });
    } catch (error) {
      // Two modules of one name may both have such a function: no single source to show.
      if (!(error instanceof TraceError)) throw error;
    }
  }
  return found;
}
