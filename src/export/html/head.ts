import type { Facts } from '../../query/facts.ts';
import type { ReportAnswer } from '../../query/report.ts';
import { plural } from '../../trace/plural.ts';
import type { View } from '../../trace/view.ts';
import { formatTime } from '../../wording/figures.ts';
import { memoryTitle } from '../../wording/findings.ts';
import { headline } from '../../wording/rows.ts';
import { filterTexts } from '../../wording/view.ts';
import { nameOf } from './figures.ts';
import { clipped, type Html, html } from './markup.ts';

/** Warnings that are shown; the rest are counted. */
const WARNINGS = 20;
const WARNING_LENGTH = 600;

/** "shop and 2 more processes" */
export function programOf({ processes, recording }: Facts): string {
  const [first] = processes;
  if (first === undefined) return recording.source;
  const more = processes.length - 1;
  const name = nameOf(first.name || first.label);
  return more === 0 ? name : `${name} and ${more} more ${plural(more, 'process', 'processes')}`;
}

/** What was recorded when, and which part of it the page shows. */
export function headOf(facts: Facts, asked: View, answers: readonly ReportAnswer[], version: string): Html {
  const { recording, processes } = facts;
  const began = new Date(recording.startedAt);
  const when = Number.isNaN(began.getTime()) ? '' : `${began.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const runtimes = [...new Set(processes.map(({ runtime }) => runtime).filter((runtime) => runtime !== ''))];
  const line = [
    when && `recorded ${when}`,
    formatTime(recording.duration),
    ...runtimes.slice(0, 3),
    `memsurge ${version}`,
  ];
  return html`<header><p class="kicker">Memory report</p><h1>${programOf(facts)}</h1>
<p class="dim">${line.filter((text) => text !== '').join(' · ')}</p>
${scopeOf(asked, answers)}</header>
${warningsOf(facts, answers)}`;
}

/** The view's filters in words, and what part of the whole each kind of memory is. */
function scopeOf(asked: View, answers: readonly ReportAnswer[]): Html {
  const filters = filterTexts(asked);
  const shown = filters.length === 0 ? 'the whole recording' : filters.map((text) => clipped(text, 300)).join('; ');
  return html`<dl class="scope"><div><dt>Shows</dt><dd>${shown}</dd></div>
${answers.map((answer) => html`<div><dt>${memoryTitle(answer.view)}</dt><dd>${headline(answer)}</dd></div>`)}
<div><dt>Code</dt><dd>functions of the runtime, its framework and libraries of the languages are folded into the function of yours that called them</dd></div></dl>`;
}

/** What the reader of the figures must know, before any of them. */
function warningsOf(facts: Facts, answers: readonly ReportAnswer[]): Html | undefined {
  const warnings = [...new Set([...facts.warnings, ...answers.flatMap((answer) => answer.warnings)])];
  if (warnings.length === 0) return undefined;
  const more = warnings.length - WARNINGS;
  return html`<section class="warnings"><h2>What this recording cannot know</h2><ul>
${warnings.slice(0, WARNINGS).map((text) => html`<li>${clipped(text, WARNING_LENGTH)}</li>`)}
${more > 0 && html`<li>and ${more} more</li>`}</ul></section>`;
}
