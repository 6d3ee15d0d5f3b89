import type { CodeBody } from './code.ts';
import { lastAtMost } from './search.ts';

/**
 * The address to look up for one found on a stack. Stacks hold return addresses: the call lies before it, and where it
 * is the last instruction of a method (a call that throws) the return address is in the next one already.
 */
export const callSite = (returnAddress: number): number => returnAddress - 1;

/** Which body of code was at an address at a time. */
export interface CodeMap {
  /**
   * The body at `address` at `time` (ns). Code that became known only later, as in a rundown, was there before: it
   * is found for earlier times too unless another body was there then.
   */
  find(address: number, time: number): CodeBody | undefined;
  /** True when different methods were at the address at different times. */
  dependsOnTime(address: number): boolean;
}

/** Bodies may overlap only because memory was used again after an unload. Order does not matter, nor do repetitions. */
export function createCodeMap(bodies: readonly CodeBody[]): CodeMap {
  const sorted = bodies.filter((body) => body.size > 0).sort((a, b) => a.start - b.start || a.from - b.from);
  const start = Float64Array.from(sorted, (body) => body.start);
  // The furthest end of this body and all before it: where it is behind an address, no earlier body reaches there.
  const reach = new Float64Array(sorted.length);
  let furthest = 0;
  sorted.forEach((body, i) => {
    furthest = Math.max(furthest, body.start + body.size);
    reach[i] = furthest;
  });

  const covering = (address: number): CodeBody[] => {
    const found: CodeBody[] = [];
    for (let i = lastAtMost(start, address); i >= 0 && reach[i] > address; i--) {
      if (start[i] + sorted[i].size > address) found.push(sorted[i]);
    }
    return found;
  };
  return {
    find(address, time) {
      const found = covering(address);
      return found.length < 2 ? found[0] : atTime(found, time);
    },
    dependsOnTime(address) {
      const found = covering(address);
      return found.some((body) => !sameMethod(body, found[0]));
    },
  };
}

/** The newest of the bodies that were there at `time`; else the one that was reported next; else the last one gone. */
function atTime(bodies: readonly CodeBody[], time: number): CodeBody {
  const rank = (body: CodeBody): number => {
    if (body.from <= time) return body.to > time ? 2 : 0;
    return 1;
  };
  return bodies.reduce((best, body) => {
    const order = rank(body) - rank(best);
    if (order !== 0) return order > 0 ? body : best;
    const isBetter = rank(body) === 1 ? body.from < best.from : body.from > best.from;
    return isBetter ? body : best;
  });
}

function sameMethod(a: CodeBody, b: CodeBody): boolean {
  return (
    a.start === b.start &&
    a.token === b.token &&
    a.moduleId === b.moduleId &&
    a.namespace === b.namespace &&
    a.name === b.name &&
    a.signature === b.signature
  );
}
