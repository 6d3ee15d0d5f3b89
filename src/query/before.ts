import type { Trace } from '../trace/tables.ts';
import type { View } from '../trace/view.ts';
import { processMask } from './selection.ts';

/**
 * Bytes of the native heap that the view's processes had in use when their recording began: blocks from before an attach.
 * Nobody knows who allocated them, so they are in no row and no total. null: not known; undefined: there were none, or the
 * view asks for something that they cannot be told by.
 */
export function nativeBefore(trace: Trace, view: View): number | null | undefined {
  if (view.kinds.length > 0 && !view.kinds.includes('native-heap')) return undefined;
  const { heaps, types, threads, modules, functions } = view;
  if ([heaps, types, threads, modules, functions].some((filter) => filter.length > 0)) return undefined;
  const { mask } = processMask(trace, view);
  const bytes = trace.processes.nativeBefore.reduce((sum, before, process) => sum + (mask[process] ? before : 0), 0);
  if (Number.isNaN(bytes)) return null;
  return bytes === 0 ? undefined : bytes;
}
