import { KINDS, type Kind } from '../trace/kinds.ts';
import { type AllocationSource, type NativeSource, NONE, type Recording, type Trace } from '../trace/tables.ts';
import type { Metric } from '../trace/view.ts';
import { traceWarnings } from './answer.ts';
import { derived } from './derived.ts';
import { processName } from './names.ts';
import { defaultMetric } from './parts.ts';
import type { KindsInRange } from './untold.ts';

interface ProcessRow {
  readonly pid: number;
  readonly name: string;
  /** The name with its pid, as answers by process say it. */
  readonly label: string;
  /** Row of the process that started it; null where that was not recorded. */
  readonly parent: number | null;
  readonly commandLine: string;
  /** For example ".NET 10.0.12"; empty when not known. */
  readonly runtime: string;
  /** First and last moment it was observed, ns. */
  readonly start: number;
  readonly end: number;
  /** How it ended in words; empty when not known. */
  readonly exit: string;
  readonly allocationSource: AllocationSource;
  readonly nativeSource: NativeSource;
  /** Nobody can tell how far the figures of its GC heap are off: events were lost, or are no random sample. */
  readonly errorUnknown: boolean;
}

/** What a trace is, before any question about its memory. */
export interface Facts {
  readonly recording: Omit<Recording, 'warnings'>;
  readonly processes: readonly ProcessRow[];
  /** Kinds of memory that the trace holds allocations of. */
  readonly kinds: readonly Kind[];
  /** What is asked first of the view's kinds of memory, where the view names no metric. */
  readonly defaultMetric: Metric;
  /** Rows of the tables. */
  readonly counts: {
    readonly threads: number;
    readonly modules: number;
    readonly files: number;
    readonly functions: number;
    readonly stacks: number;
    readonly types: number;
    readonly allocations: number;
    readonly nativeAllocated: number;
    readonly gcs: number;
  };
  readonly warnings: readonly string[];
}

/** The facts about a trace. Of the view only its kinds of memory and its range matter, for the metric. */
export function facts(trace: Trace, view: KindsInRange): Facts {
  const { warnings: _, ...recording } = trace.recording;
  const { kindsPresent } = derived(trace);
  return {
    recording,
    processes: Array.from({ length: trace.processes.length }, (_, row) => processRow(trace, row)),
    kinds: KINDS.filter((_, kind) => kindsPresent[kind] === 1),
    defaultMetric: defaultMetric(trace, view),
    counts: {
      threads: trace.threads.length,
      modules: trace.modules.length,
      files: trace.files.length,
      functions: trace.functions.length,
      stacks: trace.stacks.length,
      types: trace.types.length,
      allocations: trace.allocations.length,
      nativeAllocated: trace.native.allocated.length,
      gcs: trace.gcs.length,
    },
    warnings: traceWarnings(trace),
  };
}

function processRow(trace: Trace, row: number): ProcessRow {
  const { processes } = trace;
  return {
    pid: processes.pid[row],
    name: processes.name[row],
    label: processName(trace, row),
    parent: processes.parent[row] === NONE ? null : processes.parent[row],
    commandLine: processes.commandLine[row],
    runtime: processes.runtime[row],
    start: processes.start[row],
    end: processes.end[row],
    exit: processes.exit[row],
    allocationSource: processes.allocationSource[row],
    nativeSource: processes.nativeSource[row],
    errorUnknown: processes.errorUnknown[row] === 1,
  };
}
