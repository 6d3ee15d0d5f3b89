import { signal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { Row } from '../../query/rows.ts';
import type { CodeWithSource } from '../../serve/api.ts';
import { plural } from '../../trace/plural.ts';
import type { Unit } from '../../trace/view.ts';
import { formatShare } from '../../wording/figures.ts';
import { useAnswer } from '../answers.ts';
import { highlightLines } from '../highlight.ts';
import { bindKeys } from '../keys.ts';
import { place, view } from '../place.ts';
import { Bar, exactText, figureText } from '../widgets/figures.tsx';

/** Files of the folder the user chose, to look for sources in; nothing of them leaves the browser. */
const folder = signal<readonly File[]>([]);
/** Text found there, by the path the symbols state. */
const found = signal<ReadonlyMap<string, readonly string[]>>(new Map());

/** The source of the selected function with what each line allocated, opened at the hottest. */
export function Code(): JSX.Element {
  const asked = useAnswer('code', () => (place.value.fn === '' ? undefined : { view: view.value, of: place.value.fn }));
  const { answer, error } = asked.value;
  return (
    <aside class={`code${place.value.fn === '' ? ' no-code' : ''}`} aria-label="code">
      {place.value.fn === '' && (
        <p class="empty">
          Select a function to see its source with the bytes of each line: in Findings, the call tree, Hotspots or the
          flame graph.
        </p>
      )}
      {place.value.fn !== '' && error !== undefined && <p class="empty refusal">{error}</p>}
      {place.value.fn !== '' && answer !== undefined && <FunctionCode answer={answer} />}
    </aside>
  );
}

function FunctionCode({ answer }: { readonly answer: CodeWithSource }): JSX.Element {
  const body = useRef<HTMLDivElement>(null);
  const lines = answer.source.lines ?? found.value.get(answer.path);
  const html = useMemo(() => (lines === undefined ? undefined : highlightLines(lines, answer.path)), [lines]);
  const here = answer.rows.filter((row) => row.file === answer.path && row.line !== undefined);
  const elsewhere = answer.rows.filter((row) => !here.includes(row));
  const hot = [...here].sort((a, b) => b.share - a.share);
  const others = answer.others.filter((row) => !here.some(({ line }) => line === row.line));
  useEffect(() => showLine(body.current, hot[0]?.line), [answer, lines]);
  useEffect(() => {
    const stepper = (lines: readonly Row[], at: number) => (by: number) => {
      if (lines.length === 0) return;
      at = (at + by + lines.length) % lines.length;
      showLine(body.current, lines[at].line);
    };
    const ofFunction = stepper(hot, 0);
    const ofFile = stepper(others, -1);
    return bindKeys(
      { keys: ['n'], does: 'go to the next hot line of the function', run: () => ofFunction(1) },
      { keys: ['p'], does: 'go to the hot line before it', run: () => ofFunction(-1) },
      { keys: ['o'], does: 'go to the next line of the file that allocated in other functions', run: () => ofFile(1) },
    );
  }, [answer]);
  return (
    <>
      <h2 title={answer.path}>
        {answer.function} <span class="dim">{answer.module}</span>
      </h2>
      <p class="path">
        {answer.path}
        {hot.length > 1 && ` · ${hot.length} allocating lines: n and p go from one to the next`}
        {others.length > 0 &&
          ` · o: next of ${others.length} ${plural(others.length, 'line')} that other functions of this file allocated in`}
      </p>
      {lines === undefined && <NoSource answer={answer} />}
      {elsewhere.length > 0 && (
        <ul class="elsewhere">
          {elsewhere.map((row) => (
            <li key={row.name}>
              {figureText(answer.unit, row)} ({formatShare(row.share)}) at {row.name}
            </li>
          ))}
        </ul>
      )}
      <div class="source" ref={body} tabIndex={0} role="region" aria-label={`source of ${answer.function}`}>
        {html !== undefined
          ? html.map((line, i) => (
              <SourceLine
                key={String(i)}
                number={i + 1}
                html={line}
                row={here.find((row) => row.line === i + 1)}
                other={others.find((row) => row.line === i + 1)}
                answer={answer}
              />
            ))
          : here.map((row) => (
              <SourceLine key={row.name} number={row.line!} html="(source not found)" row={row} answer={answer} />
            ))}
      </div>
    </>
  );
}

interface SourceLineProps {
  readonly number: number;
  readonly html: string;
  readonly row: Row | undefined;
  /** What the line allocated as part of another function. */
  readonly other?: Row | undefined;
  readonly answer: CodeWithSource;
}

function SourceLine({ number, html, row, other, answer }: SourceLineProps): JSX.Element {
  const inFunction = number >= answer.firstLine && number <= answer.lastLine;
  const shown = row ?? other;
  return (
    <div class={`line${row ? ' hot' : ''}${inFunction ? ' inside' : ''}`} data-line={number}>
      <span
        class={`number figure${row ? '' : ' dim'}`}
        title={shown && marginHint(shown, row !== undefined, answer.unit)}
      >
        {shown && `${figureText(answer.unit, shown)}${shown.near ? ' ≈' : ''}`}
      </span>
      <span class="line-bar">{row && <Bar share={row.share} />}</span>
      <span class="number line-number">{number}</span>
      <code dangerouslySetInnerHTML={{ __html: html }} />
    </div>
  );
}

function marginHint(row: Row, isOwn: boolean, unit: Unit): string {
  const near = row.near ? '\n≈ optimised code keeps few line marks: the line is near, not surely it' : '';
  return `${exactText(unit, row[unit])}${isOwn ? '' : '\nin another function of this file, which may be part of what is shown here too'}${near}`;
}

function showLine(body: HTMLElement | null, line: number | undefined): void {
  const element = line === undefined ? null : body?.querySelector<HTMLElement>(`[data-line="${line}"]`);
  for (const one of body?.querySelectorAll('.at') ?? []) one.classList.remove('at');
  if (!body || !element) return;
  element.classList.add('at');
  body.scrollTop = element.offsetTop - body.clientHeight / 3;
}

/** Where the source was looked for, and a folder of the user's to look in. */
function NoSource({ answer }: { readonly answer: CodeWithSource }): JSX.Element {
  return (
    <div class="no-source">
      {answer.source.warnings.map((text) => (
        <p key={text}>{text}</p>
      ))}
      {answer.path !== '' && (
        <label>
          Or choose a folder that holds {answer.path.slice(answer.path.search(/[^/\\]*$/))}; its files stay in this
          browser:{' '}
          <input
            type="file"
            {...{ webkitdirectory: true }}
            onChange={(event) => {
              folder.value = [...(event.currentTarget.files ?? [])];
              void lookInFolder(answer.path);
            }}
          />
        </label>
      )}
      {folder.value.length > 0 && !found.value.has(answer.path) && (
        <p>
          Not among the {folder.value.length} {plural(folder.value.length, 'file')} of that folder.{' '}
          <button type="button" onClick={() => void lookInFolder(answer.path)}>
            look again
          </button>
        </p>
      )}
    </div>
  );
}

/** Takes the file that shares the longest end of its path with `path`, and its name at least. */
async function lookInFolder(path: string): Promise<void> {
  const wanted = path.split(/[/\\]/).reverse();
  const common = (file: File): number => {
    const parts = (file.webkitRelativePath || file.name).split('/').reverse();
    let n = 0;
    while (n < parts.length && n < wanted.length && parts[n] === wanted[n]) n++;
    return n;
  };
  const best = folder.value.reduce<File | undefined>((a, b) => (a && common(a) >= common(b) ? a : b), undefined);
  if (best === undefined || common(best) === 0) return;
  const text = await best.text();
  found.value = new Map(found.value).set(path, text.split(/\r?\n/));
}
