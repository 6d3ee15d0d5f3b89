import { facts } from '../../query/facts.ts';
import type { ReportAnswer } from '../../query/report.ts';
import { timeline } from '../../query/timeline.ts';
import type { Trace } from '../../trace/tables.ts';
import type { View } from '../../trace/view.ts';
import { NOTHING_GREW, sectionsOf, whoTitle } from '../../wording/findings.ts';
import { chartOf } from './chart.ts';
import { headOf, programOf } from './head.ts';
import { heapOf } from './heap.ts';
import { clipped, type Html, html, markupOf, trusted } from './markup.ts';
import { recordingOf } from './recording.ts';
import { type FunctionSource, sourcesOf } from './source.ts';
import { STYLE } from './style.ts';
import { callersOf, callTreeOf } from './tree.ts';
import { whoOf } from './who.ts';

const STRETCHES = 160;
const TABLE_STRETCHES = 12;
const STATEMENT = 1500;

/** What the page shows beside the trace. */
export interface PageNotes {
  /** The View as it was asked for, before `report` divided it by kinds of memory. */
  readonly asked: View;
  /** Of memsurge. */
  readonly version: string;
  /** Processes with a sentence of their own. */
  readonly processes: number;
  /** Commands that show more. */
  readonly commands: readonly string[];
  /** Functions with their source, where that is wanted. */
  readonly sources: readonly FunctionSource[];
}

/**
 * The report as one HTML page that loads nothing, runs nothing and asks nobody: findings, chart, tables and pruned trees
 * of each of `answers`. Its size is bounded whatever the trace holds; what is cut says so.
 * @throws TraceError when the trace cannot answer the view's metric.
 */
export function pageOf(trace: Trace, answers: readonly ReportAnswer[], notes: PageNotes): string {
  const known = facts(trace, notes.asked);
  const body = html`<main>
${headOf(known, notes.asked, answers, notes.version)}
${findings(answers, notes.processes)}
${overTime(trace, notes.asked)}
${answers.map(({ view }) => kindOfMemory(trace, view))}
${heapOf(trace, notes.asked)}
${sourcesOf(notes.sources)}
${recordingOf(known)}
${lookFurther(notes.commands)}
</main>`;
  return markupOf(html`${trusted('<!doctype html>')}
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<meta name="generator" content="memsurge ${notes.version}"><title>${programOf(known)}: memory report</title>
<style>${trusted(STYLE)}</style></head>
<body>${body}</body></html>
`);
}

function findings(answers: readonly ReportAnswer[], processes: number): Html {
  const sections = sectionsOf(answers, processes);
  if (sections.length === 0) return html`<section><h2>Findings</h2><p>${NOTHING_GREW}</p></section>`;
  return html`<section class="findings"><h2>Findings</h2>${sections.map(
    ({ title, statements, more }) =>
      html`<h3>${title}</h3><ul>${statements.map(
        ({ label, text }) =>
          html`<li${label && html` class="step"`}>${label && html`<b>${label}</b>`}<span>${clipped(text, STATEMENT)}</span></li>`,
      )}${more && html`<li class="dim">${more}</li>`}</ul>`,
  )}</section>`;
}

/** The bars are what was allocated, whatever the view's metric: that is known of every trace and range. */
function overTime(trace: Trace, asked: View): Html {
  const view: View = { ...asked, metric: 'allocated' };
  return html`<section><h2>Over time</h2>${chartOf(timeline(trace, view, STRETCHES), timeline(trace, view, TABLE_STRETCHES))}</section>`;
}

function kindOfMemory(trace: Trace, view: View): Html {
  return html`<section><h2>${whoTitle(view)}</h2>${whoOf(trace, view)}${callTreeOf(trace, view)}${callersOf(trace, view)}</section>`;
}

function lookFurther(commands: readonly string[]): Html {
  return html`<section><h2>Look further</h2>
<p class="dim">With memsurge and the trace, in the folder that holds it:</p>
<pre>${commands.map((command) => `${clipped(command, STATEMENT)}\n`)}</pre></section>`;
}
