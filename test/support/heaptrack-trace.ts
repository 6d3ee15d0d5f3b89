/** What heaptrack says of one run. It treats a realloc as a release and an allocation, and never sees memalign and pvalloc. */
export interface HeapJudgement {
  readonly allocations: number;
  /** Releases of blocks it knows; `allocations` − `frees` blocks are left at the end. */
  readonly frees: number;
  /** Blocks that were released before anything else happened to the heap, in whatever thread. */
  readonly temporary: number;
  readonly allocatedBytes: number;
  readonly leakedBytes: number;
  /** The highest sum of requested bytes, and with it what the stacks had at the first moment of it. */
  readonly peakBytes: number;
  readonly peakCount: number;
  readonly stacks: readonly JudgedStack[];
}

interface JudgedStack {
  /** Function names, demangled with their parameters, from the caller of malloc outwards; "??" where it knows none. */
  readonly frames: readonly string[];
  readonly allocations: number;
  readonly frees: number;
  readonly temporary: number;
  readonly allocatedBytes: number;
  readonly leakedBytes: number;
  readonly peakBytes: number;
  readonly peakCount: number;
}

/**
 * Stacks of the text that heaptrack_interpret prints, innermost function first; the index is that of a trace, from 1.
 * Lines, with all numbers in hexadecimal and indices from 1 (0 is none): `s LENGTH STRING`;
 * `i ADDRESS MODULE [FUNCTION FILE LINE]…`, an address with the functions inlined there, innermost first;
 * `t ADDRESS PARENT`, a trace: an address' index and the trace of its caller. Source: heaptrack 1.4, heaptrack_interpret.cpp.
 */
export function readStacks(interpreted: string): readonly (readonly string[])[] {
  const strings = ['??'];
  const addresses: string[][] = [['??']];
  const traces: string[][] = [[]];
  for (const line of interpreted.split('\n')) {
    const kind = line[0];
    if (kind === 's') strings.push(line.slice(line.indexOf(' ', 2) + 1));
    else if (kind === 'i') {
      const [, , ...frames] = numbers(line);
      const functions = frames.filter((_, at) => at % 3 === 0).map((index) => strings[index]);
      addresses.push(functions.length === 0 ? ['??'] : functions);
    } else if (kind === 't') {
      const [address, parent] = numbers(line);
      traces.push([...addresses[address], ...traces[parent]]);
    }
  }
  return traces;
}

/**
 * Sums up what heaptrack's library wrote: `+ SIZE TRACE POINTER` for an allocation, `- POINTER` for a release, all
 * hexadecimal. The traces are those of {@link readStacks}.
 */
export function sumUp(raw: string, stacks: readonly (readonly string[])[]): HeapJudgement {
  const events = readEvents(raw);
  const peak = peakOf(events);
  const byTrace = stacks.map(emptySums);
  const total = emptySums();
  events.forEach((event, at) => {
    for (const sums of [byTrace[event.trace], total]) count(sums, event, at <= peak);
  });
  const judged = byTrace.map((sums, trace) => ({ frames: stacks[trace], ...sums }));
  return { ...total, stacks: judged.filter((stack) => stack.allocations > 0) };
}

interface HeapEvent {
  readonly kind: 'allocation' | 'release';
  readonly size: number;
  /** Of the allocation, for a release too. */
  readonly trace: number;
  readonly temporary: boolean;
}

/** Releases of unknown blocks are left out, but what is allocated before them is not temporary. */
function readEvents(raw: string): HeapEvent[] {
  const events: HeapEvent[] = [];
  const live = new Map<string, { size: number; trace: number }>();
  let last: string | undefined;
  for (const line of raw.split('\n')) {
    const fields = line.split(' ');
    const pointer = fields[fields.length - 1];
    if (fields[0] === '+') {
      const block = { size: Number.parseInt(fields[1], 16), trace: Number.parseInt(fields[2], 16) };
      events.push({ kind: 'allocation', ...block, temporary: false });
      live.set(pointer, block);
      last = pointer;
    } else if (fields[0] === '-') {
      const block = live.get(pointer);
      if (block !== undefined) events.push({ kind: 'release', ...block, temporary: pointer === last });
      live.delete(pointer);
      last = undefined;
    }
  }
  return events;
}

/** Index of the event with which the live bytes are highest for the first time. */
function peakOf(events: readonly HeapEvent[]): number {
  let live = 0;
  let highest = 0;
  let peak = -1;
  events.forEach(({ kind, size }, at) => {
    live += kind === 'allocation' ? size : -size;
    if (live > highest) {
      highest = live;
      peak = at;
    }
  });
  return peak;
}

type Sums = { -readonly [K in Exclude<keyof JudgedStack, 'frames'>]: number };

function emptySums(): Sums {
  return { allocations: 0, frees: 0, temporary: 0, allocatedBytes: 0, leakedBytes: 0, peakBytes: 0, peakCount: 0 };
}

function count(sums: Sums, { kind, size, temporary }: HeapEvent, upToPeak: boolean): void {
  if (kind === 'allocation') {
    sums.allocations++;
    sums.allocatedBytes += size;
  } else {
    sums.frees++;
    if (temporary) sums.temporary++;
  }
  const change = kind === 'allocation' ? size : -size;
  sums.leakedBytes += change;
  if (!upToPeak) return;
  sums.peakBytes += change;
  sums.peakCount += kind === 'allocation' ? 1 : -1;
}

/** The hexadecimal numbers after a line's first letter. */
function numbers(line: string): number[] {
  return line
    .slice(2)
    .split(' ')
    .map((field) => Number.parseInt(field, 16));
}
