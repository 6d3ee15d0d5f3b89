import { lacksOuterTypes } from '../symbols/nested-types.ts';
import type { ProcessCode } from '../symbols/process-code.ts';
import { float64Column } from '../trace/columns.ts';
import { NONE } from '../trace/tables.ts';
import type { ProcessCapture } from './nettrace/capture.ts';

/**
 * The code addresses on the stacks of a process's allocations, each with the times of its first and its last use: what
 * symbols have to be found for. Both columns have the same length; an address stands in one or two rows.
 */
export function usedAddresses(capture: ProcessCapture): { address: Float64Array; time: Float64Array } {
  const { allocations, stacks } = capture;
  const address = float64Column();
  const time = float64Column();
  const visit = (visited: Uint8Array, event: number) => {
    for (let row = allocations.stack[event]; row !== NONE && visited[row] === 0; row = stacks.prefix[row]) {
      visited[row] = 1;
      address.push(stacks.address[row]);
      time.push(allocations.time[event]);
    }
  };
  const fromStart = new Uint8Array(stacks.length);
  for (let event = 0; event < allocations.length; event++) visit(fromStart, event);
  const fromEnd = new Uint8Array(stacks.length);
  for (let event = allocations.length - 1; event >= 0; event--) visit(fromEnd, event);
  return { address: address.finish(), time: time.finish() };
}

/** Places looked at per type: they agree, or nearly so. */
const MAX_SITES = 64;

/** The types whose names the runtime cut, with the innermost addresses that allocated them. */
export function cutTypes(capture: ProcessCapture): ProcessCode['types'] {
  const { allocations, stacks, types } = capture;
  const sites = types.map(({ name }) => (lacksOuterTypes(name) ? new Map<number, number>() : undefined));
  for (let event = 0; event < allocations.length; event++) {
    const seen = sites[allocations.type[event]];
    const stack = allocations.stack[event];
    if (seen === undefined || stack === NONE || seen.size >= MAX_SITES) continue;
    seen.set(stacks.address[stack], allocations.time[event]);
  }
  return types.flatMap(({ handle, name }, row) => {
    const seen = sites[row];
    return seen === undefined
      ? []
      : [{ handle, name, sites: Array.from(seen, ([address, time]) => ({ address, time })) }];
  });
}
