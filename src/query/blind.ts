import { KIND_LABELS, type Kind, RECORDED_KINDS } from '../trace/kinds.ts';
import { listed } from '../trace/listed.ts';
import { type BlindSpot, NONE, type Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { processName } from './names.ts';

/** The blind spots that a view touches: of its processes (1 each in `processes`), its kinds of memory and its time. */
export function blindSpotsOf(trace: Trace, view: View, processes: Uint8Array): BlindSpot[] {
  const kinds = kindsAsked(view);
  return trace.recording.blindSpots.filter(
    (spot) =>
      (spot.process === NONE || processes[spot.process] === 1) &&
      spot.kinds.some((kind) => kinds.includes(kind)) &&
      spot.from < view.to &&
      spot.to > view.from,
  );
}

/** Blind spots as sentences; what holds of several processes is said once. */
export function blindTexts(trace: Trace, spots: readonly BlindSpot[]): string[] {
  const processesOf = new Map<string, Set<string>>();
  for (const { process, text } of spots) {
    const names = processesOf.get(text) ?? new Set();
    processesOf.set(text, process === NONE ? names : names.add(processName(trace, process)));
  }
  return Array.from(processesOf, ([text, names]) => (names.size === 0 ? text : `${listed([...names])}: ${text}`));
}

/**
 * Why a view without rows is not one in which nothing was allocated: `whole` where nothing that it asks for was recorded, with
 * the reasons; else some of it was not. Undefined where all was recorded.
 */
export function absenceOf(
  trace: Trace,
  view: View,
  processes: Uint8Array,
): { readonly whole: boolean; readonly texts: readonly string[] } | undefined {
  const kinds = kindsAsked(view);
  const never = kinds.filter((kind) => !RECORDED_KINDS.includes(kind));
  const absent = blindSpotsOf(trace, view, processes).filter(({ effect }) => effect === 'absent');
  const managedIn = (process: number) =>
    trace.processes.runtime[process] !== '' || trace.processes.allocationSource[process] !== 'none';
  const rows = Array.from(processes, (_, process) => process).filter((process) => processes[process] === 1);
  const covers = (kind: Kind, process: number) =>
    never.includes(kind) ||
    absent.some((spot) => spot.kinds.includes(kind) && (spot.process === NONE || spot.process === process)) ||
    (kind === 'gc-heap' && !managedIn(process));
  const withoutRuntime = kinds.includes('gc-heap')
    ? rows.filter(
        (process) =>
          !managedIn(process) && !absent.some((spot) => spot.process === process && spot.kinds.includes('gc-heap')),
      )
    : [];
  const texts = [
    ...never.map((kind) => `memsurge does not record this kind of memory yet: ${KIND_LABELS[kind]}`),
    ...blindTexts(trace, absent),
    ...blindTexts(
      trace,
      withoutRuntime.map((process) => ({ ...NO_RUNTIME, process })),
    ),
  ];
  if (absent.length === 0 && never.length === 0 && withoutRuntime.length === 0) return undefined;
  return { whole: kinds.every((kind) => rows.every((process) => covers(kind, process))), texts };
}

const NO_RUNTIME: BlindSpot = {
  process: NONE,
  kinds: ['gc-heap'],
  from: Number.NEGATIVE_INFINITY,
  to: Number.POSITIVE_INFINITY,
  effect: 'absent',
  text: 'no .NET runtime was seen in it, so it has no managed memory that is known of',
};

/** Only the GC heap is made of heaps and knows types. */
function kindsAsked({ kinds, heaps, types }: View): readonly Kind[] {
  const possible: readonly Kind[] =
    types.length > 0 || heaps.some((heap) => heap !== 'none') ? ['gc-heap'] : kinds.length > 0 ? kinds : RECORDED_KINDS;
  return kinds.length === 0 ? possible : possible.filter((kind) => kinds.includes(kind));
}
