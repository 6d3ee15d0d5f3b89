import type { Facts } from '../../query/facts.ts';
import { KIND_LABELS } from '../../trace/kinds.ts';
import { plural } from '../../trace/plural.ts';
import { formatBytes, formatCount, formatTime } from '../../wording/figures.ts';
import { framesText, managedSourceText, NATIVE_SOURCES } from '../../wording/recording.ts';
import { nameOf } from './figures.ts';
import { clipped, type Html, html } from './markup.ts';

/** Processes whose facts are shown. */
const PROCESSES = 20;
const COMMAND_LINE = 500;

/** How the trace was made and what it holds. */
export function recordingOf({ recording, processes, kinds, counts }: Facts): Html {
  const hidden = processes.length - PROCESSES;
  const madeBy = recording.source === 'memsurge' ? `memsurge ${recording.mode}` : `another tool (${recording.source})`;
  const samples = recording.samplingMeanBytes > 0 ? formatBytes(recording.samplingMeanBytes) : 'no samples';
  return html`<section><h2>Recording</h2>
<dl class="facts">
${fact('made by', madeBy)}
${fact('kinds of memory', kinds.map((kind) => KIND_LABELS[kind]).join(', ') || 'none')}
${fact('mean between managed samples', samples)}
${fact('runtime events', `${formatCount(recording.events)} read, ${formatCount(recording.eventsLost)} lost`)}
${fact('managed frames', framesText(recording.frames, recording.framesUnresolved))}
${fact('native frames', framesText(recording.nativeFrames, recording.nativeFramesUnresolved))}
${fact(
  'holds',
  `${formatCount(counts.allocations)} allocation rows, ${formatCount(counts.nativeAllocated)} rows of native counters, ` +
    `${formatCount(counts.stacks)} stack nodes, ${formatCount(counts.functions)} functions, ${formatCount(counts.types)} types, ` +
    `${formatCount(counts.threads)} threads, ${formatCount(counts.gcs)} collections`,
)}
</dl>
${processes.slice(0, PROCESSES).map(processOf)}
${hidden > 0 && html`<p class="dim">and ${hidden} more ${plural(hidden, 'process', 'processes')}</p>`}</section>`;
}

type Process = Facts['processes'][number];

function processOf(one: Process): Html {
  const end = Number.isFinite(one.end) ? formatTime(one.end) : 'the end';
  return html`<h3>${nameOf(one.label)}</h3>
<dl class="facts">
${fact('command line', clipped(one.commandLine, COMMAND_LINE) || 'not known')}
${fact('runtime', one.runtime || 'none known')}
${fact('observed', `${formatTime(one.start)} to ${end}${one.exit === '' ? '' : `, ${one.exit}`}`)}
${fact('managed memory', managedSourceText(one))}
${fact('native memory', NATIVE_SOURCES[one.nativeSource])}
</dl>`;
}

const fact = (name: string, text: string): Html => html`<div><dt>${name}</dt><dd>${text}</dd></div>`;
