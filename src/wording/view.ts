import { HEAP_LABELS, KIND_LABELS } from '../trace/kinds.ts';
import type { Metric, View } from '../trace/view.ts';
import { formatTime } from './figures.ts';

/** What each metric counts. */
export const METRIC_MEANS: Record<Metric, string> = {
  allocated: 'allocated in the range',
  unreleased: 'allocated in the range and not released by its end',
  temporary: 'allocated and released in the range',
  live: 'not released by the end of the range, whenever allocated',
  net: 'allocated minus released in the range',
  peak: 'held when the native heap was at its highest; of the native heap alone',
};

/** Which metric is asked where none is named. */
export const DEFAULT_METRIC_MEANS =
  'unreleased for native memory, or net in a range that cannot tell it, else allocated';

/** The filters of a view in words, one text each: "thread: worker or loader", "from 2.00 s to 5.00 s"; none: empty. */
export function filterTexts(view: View): string[] {
  const oneOf = (name: string, values: readonly string[]) =>
    values.length === 0 ? [] : [`${name}: ${values.join(' or ')}`];
  return [
    ...oneOf(
      'kind of memory',
      view.kinds.map((kind) => KIND_LABELS[kind]),
    ),
    ...oneOf(
      'heap',
      view.heaps.map((heap) => HEAP_LABELS[heap]),
    ),
    ...oneOf('type', view.types),
    ...oneOf('thread', view.threads),
    ...oneOf('stacks that hold the module', view.modules),
    ...oneOf('stacks that hold the function', view.functions),
    ...oneOf('process', view.processes),
    ...rangeText(view),
  ];
}

function rangeText({ from, to }: View): string[] {
  const range = [
    ...(from > 0 ? [`from ${formatTime(from)}`] : []),
    ...(to < Number.POSITIVE_INFINITY ? [`to ${formatTime(to)}`] : []),
  ];
  return range.length === 0 ? [] : [range.join(' ')];
}
