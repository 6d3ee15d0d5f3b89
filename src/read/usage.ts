import { lacksOuterTypes } from '../symbols/nested-types.ts';
import type { ProcessCode } from '../symbols/process-code.ts';
import { float64Column } from '../trace/columns.ts';
import { NONE } from '../trace/tables.ts';
import type { AgentCapture } from './agent/capture.ts';
import type { ProcessCapture } from './nettrace/capture.ts';

type Uses = ProcessCode['used'];

/**
 * The code addresses on the stacks of a process's allocations, each with the times of its first and its last use: what
 * symbols have to be found for. Both columns have the same length; an address stands in one or two rows.
 */
export function usedAddresses(capture: ProcessCapture): Uses {
  const { allocations, stacks } = capture;
  const first = new Float64Array(stacks.length).fill(Number.POSITIVE_INFINITY);
  const last = new Float64Array(stacks.length).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < allocations.length; i++) {
    const row = allocations.stack[i];
    if (row === NONE) continue;
    if (allocations.time[i] < first[row]) first[row] = allocations.time[i];
    last[row] = allocations.time[i];
  }
  const address = float64Column();
  const time = float64Column();
  // A prefix has a smaller row than the stacks that continue it, so going down it hears of all of them first.
  for (let row = stacks.length - 1; row >= 0; row--) {
    if (last[row] === Number.NEGATIVE_INFINITY) continue;
    const prefix = stacks.prefix[row];
    if (prefix !== NONE) {
      first[prefix] = Math.min(first[prefix], first[row]);
      last[prefix] = Math.max(last[prefix], last[row]);
    }
    for (const use of first[row] === last[row] ? [first[row]] : [first[row], last[row]]) {
      address.push(stacks.address[row]);
      time.push(use);
    }
  }
  return { address: address.finish(), time: time.finish() };
}

/** As {@link usedAddresses} for the agent's stacks: each address at the time it was seen first. */
export function nativeAddresses({ stacks, seen }: AgentCapture): Uses {
  const address = float64Column();
  const time = float64Column();
  for (let row = 0; row < stacks.length; row++) {
    if (stacks.address[row] <= 0) continue;
    address.push(stacks.address[row]);
    time.push(seen[row]);
  }
  return { address: address.finish(), time: time.finish() };
}

export function joinUses(parts: readonly Uses[]): Uses {
  if (parts.length === 1) return parts[0];
  const length = parts.reduce((sum, part) => sum + part.address.length, 0);
  const joined = { address: new Float64Array(length), time: new Float64Array(length) };
  let at = 0;
  for (const part of parts) {
    joined.address.set(part.address, at);
    joined.time.set(part.time, at);
    at += part.address.length;
  }
  return joined;
}

/** Allocations looked at per type: their places agree, or nearly so. */
const MAX_LOOKS = 256;

/** The types whose names the runtime cut, with the innermost addresses that allocated them. */
export function cutTypes(capture: ProcessCapture): ProcessCode['types'] {
  const { allocations, stacks, types } = capture;
  const sites = types.map(({ name }) => (lacksOuterTypes(name) ? new Map<number, number>() : undefined));
  const looksLeft = Int32Array.from(sites, (seen) => (seen === undefined ? 0 : MAX_LOOKS));
  let allLeft = looksLeft.reduce((sum, looks) => sum + looks, 0);
  const { length, type, stack, time } = allocations;
  for (let i = 0; i < length && allLeft > 0; i++) {
    if (looksLeft[type[i]] === 0 || stack[i] === NONE) continue;
    looksLeft[type[i]]--;
    allLeft--;
    sites[type[i]]?.set(stacks.address[stack[i]], time[i]);
  }
  return types.flatMap(({ handle, name }, row) => {
    const seen = sites[row];
    return seen === undefined
      ? []
      : [{ handle, name, sites: Array.from(seen, ([address, time]) => ({ address, time })) }];
  });
}
