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
  const first = new Int32Array(stacks.length).fill(NONE);
  const last = new Int32Array(stacks.length).fill(NONE);
  for (let event = 0; event < allocations.length; event++) {
    const stack = allocations.stack[event];
    if (stack === NONE) continue;
    if (first[stack] === NONE) first[stack] = event;
    last[stack] = event;
  }
  const address = float64Column();
  const time = float64Column();
  // A prefix has a smaller row than the stacks that continue it, so going down it hears of all of them first.
  for (let row = stacks.length - 1; row >= 0; row--) {
    if (first[row] === NONE) continue;
    const prefix = stacks.prefix[row];
    if (prefix !== NONE) {
      first[prefix] = first[prefix] === NONE ? first[row] : Math.min(first[prefix], first[row]);
      last[prefix] = Math.max(last[prefix], last[row]);
    }
    for (const event of first[row] === last[row] ? [first[row]] : [first[row], last[row]]) {
      address.push(stacks.address[row]);
      time.push(allocations.time[event]);
    }
  }
  return { address: address.finish(), time: time.finish() };
}

/** Allocations looked at per type: their places agree, or nearly so. */
const MAX_LOOKS = 256;

/** The types whose names the runtime cut, with the innermost addresses that allocated them. */
export function cutTypes(capture: ProcessCapture): ProcessCode['types'] {
  const { allocations, stacks, types } = capture;
  const sites = types.map(({ name }) => (lacksOuterTypes(name) ? new Map<number, number>() : undefined));
  const looksLeft = Int32Array.from(sites, (seen) => (seen === undefined ? 0 : MAX_LOOKS));
  for (let event = 0; event < allocations.length; event++) {
    const type = allocations.type[event];
    const stack = allocations.stack[event];
    if (looksLeft[type] === 0 || stack === NONE) continue;
    looksLeft[type]--;
    sites[type]?.set(stacks.address[stack], allocations.time[event]);
  }
  return types.flatMap(({ handle, name }, row) => {
    const seen = sites[row];
    return seen === undefined
      ? []
      : [{ handle, name, sites: Array.from(seen, ([address, time]) => ({ address, time })) }];
  });
}
