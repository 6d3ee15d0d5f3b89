import { KINDS, type Kind, kindIndex } from '../trace/kinds.ts';
import { once } from '../trace/once.ts';
import { createStackRows } from '../trace/stack-rows.ts';
import { NONE, type Trace } from '../trace/tables.ts';

/**
 * Tables that follow from a Trace alone, computed on first use and kept as long as the Trace. They are indexed by stack
 * slot: stack + 1, so that slot 0 stands for "no stack".
 */
export interface Derived {
  /** 1 per function of a system module. */
  readonly systemFunctions: Uint8Array;
  /** Group of the function that owns what a stack allocates. */
  functionGroups(hideSystem: boolean): FunctionGroups;
  /** Group of the innermost source line. */
  lineGroups(hideSystem: boolean): LineGroups;
  /** 1 per slot whose innermost function does not stand further out on the same stack. */
  readonly firstOccurrence: Uint8Array;
  /** 1 per slot whose innermost source line does not stand further out on the same stack; 0 where it has none. */
  readonly firstLineOccurrence: Uint8Array;
  /** Names of modules, each once, and per slot 1 where the innermost one does not stand further out. */
  readonly moduleNames: ModuleNames;
  /** The stacks merged by function. */
  callTree(hideSystem: boolean): CallTree;
  /** 1 per row of KINDS that the trace holds allocations of. */
  readonly kindsPresent: Uint8Array;
  /** Kinds of memory that counters tell of. */
  readonly kindsCounted: readonly Kind[];
  /** 1 per row of KINDS with allocations of which it was not recorded when they were released. */
  readonly kindsWithoutReleases: Uint8Array;
  /** Per process: when its sampled native heap was at its highest, ns. */
  readonly peakTimes: Float64Array;
}

/** Groups 0 … functions − 1 are functions; three more follow. */
interface FunctionGroups {
  readonly ofSlot: Int32Array;
  readonly noStack: number;
  /** Hide-system only: no user function on the stack. */
  readonly systemCode: number;
  /** Hide-system only: the runtime's compiler, which compiles what the user's function calls. */
  readonly compiler: number;
  readonly length: number;
}

/** Modules by name: several processes can have the same. */
interface ModuleNames {
  readonly names: readonly string[];
  /** Row of `names` of a function, NONE without a module. */
  readonly ofFunction: Int32Array;
  readonly firstOccurrence: Uint8Array;
}

/** Groups are distinct file and line pairs; two more follow. */
interface LineGroups {
  readonly ofSlot: Int32Array;
  readonly file: Int32Array;
  readonly line: Int32Array;
  /** 1 when some frame of the line is near only. */
  readonly near: Uint8Array;
  /** One function the line belongs to. */
  readonly function: Int32Array;
  readonly noStack: number;
  readonly noLine: number;
  readonly length: number;
}

/** A trie of functions from the thread's root; a node's parent has a smaller number, NONE at the root. */
export interface CallTree {
  readonly length: number;
  readonly parent: Int32Array;
  /** Function group, see {@link FunctionGroups}. */
  readonly group: Int32Array;
  /** Node in which a stack slot ends. */
  readonly ofSlot: Int32Array;
}

const cache = new WeakMap<Trace, Derived>();

export function derived(trace: Trace): Derived {
  let tables = cache.get(trace);
  if (tables === undefined) {
    const systemFunctions = trace.functions.system;
    const first = once(() => findFirstOccurrences(trace, trace.frames.function, trace.functions.length));
    const firstLine = once(() => findFirstLines(trace));
    const moduleNames = once(() => findModuleNames(trace));
    const compilers = once(() => findCompilers(trace));
    const functionGroups = [false, true].map((hide) =>
      once(() => groupByFunction(trace, hide, systemFunctions, compilers())),
    );
    const lineGroups = [false, true].map((hide) => once(() => groupByLine(trace, hide, systemFunctions, compilers())));
    const releases = once(() => findReleases(trace));
    const counted = once(() => {
      const kinds = new Set(trace.native.allocated.combinations.kind);
      return KINDS.filter((_, kind) => kinds.has(kind));
    });
    const peaks = once(() => findPeaks(trace));
    const callTrees = [false, true].map((hide) =>
      once(() => mergeByFunction(trace, hide, systemFunctions, compilers())),
    );
    tables = {
      systemFunctions,
      functionGroups: (hide) => functionGroups[Number(hide)](),
      lineGroups: (hide) => lineGroups[Number(hide)](),
      get firstOccurrence() {
        return first();
      },
      get firstLineOccurrence() {
        return firstLine();
      },
      get moduleNames() {
        return moduleNames();
      },
      callTree: (hide) => callTrees[Number(hide)](),
      get kindsPresent() {
        return releases().present;
      },
      get kindsCounted() {
        return counted();
      },
      get kindsWithoutReleases() {
        return releases().without;
      },
      get peakTimes() {
        return peaks();
      },
    };
    cache.set(trace, tables);
  }
  return tables;
}

/**
 * 1 per function of the runtime's compiler. It works in the thread that calls a method for the first time, below that
 * method's caller, but its memory is none of what the caller's code asks for.
 */
function findCompilers({ functions, modules }: Trace): Uint8Array {
  const isCompiler = modules.name.map((name) => name === 'libclrjit.so');
  return Uint8Array.from(functions.module, (module) => Number(module !== NONE && isCompiler[module]));
}

function groupByFunction(trace: Trace, hideSystem: boolean, system: Uint8Array, compilers: Uint8Array): FunctionGroups {
  const { stacks, frames, functions } = trace;
  const noStack = functions.length;
  const systemCode = functions.length + 1;
  const compiler = functions.length + 2;
  const ofSlot = new Int32Array(stacks.length + 1);
  ofSlot[0] = noStack;
  for (let stack = 0; stack < stacks.length; stack++) {
    const fn = frames.function[stacks.frame[stack]];
    const prefix = stacks.prefix[stack];
    if (hideSystem && compilers[fn] === 1) ofSlot[stack + 1] = compiler;
    else if (!hideSystem || system[fn] === 0) ofSlot[stack + 1] = fn;
    else ofSlot[stack + 1] = prefix === NONE ? systemCode : ofSlot[prefix + 1];
  }
  return { ofSlot, noStack, systemCode, compiler, length: functions.length + 3 };
}

function groupByLine(trace: Trace, hideSystem: boolean, system: Uint8Array, compilers: Uint8Array): LineGroups {
  const { stacks, frames } = trace;
  const rows = new Map<number, number>();
  const groups: { file: number; line: number; near: number; function: number }[] = [];
  const ofFrame = new Int32Array(frames.length).fill(NONE);
  for (let frame = 0; frame < frames.length; frame++) {
    const file = frames.file[frame];
    const line = frames.line[frame];
    const fn = frames.function[frame];
    if (!hasLine(trace, frame) || (hideSystem && system[fn] === 1)) continue;
    const key = file * 2 ** 24 + line;
    let group = rows.get(key);
    if (group === undefined) {
      group = groups.push({ file, line, near: 0, function: fn }) - 1;
      rows.set(key, group);
    }
    groups[group].near |= frames.near[frame];
    ofFrame[frame] = group;
  }
  const noStack = groups.length;
  const noLine = groups.length + 1;
  const ofSlot = new Int32Array(stacks.length + 1);
  ofSlot[0] = noStack;
  for (let stack = 0; stack < stacks.length; stack++) {
    const frame = stacks.frame[stack];
    const group = ofFrame[frame];
    const prefix = stacks.prefix[stack];
    if (compilers[frames.function[frame]] === 1) ofSlot[stack + 1] = noLine;
    else if (group !== NONE) ofSlot[stack + 1] = group;
    else ofSlot[stack + 1] = prefix === NONE ? noLine : ofSlot[prefix + 1];
  }
  return {
    ofSlot,
    file: Int32Array.from(groups, (group) => group.file),
    line: Int32Array.from(groups, (group) => group.line),
    near: Uint8Array.from(groups, (group) => group.near),
    function: Int32Array.from(groups, (group) => group.function),
    noStack,
    noLine,
    length: groups.length + 2,
  };
}

function findModuleNames(trace: Trace): ModuleNames {
  const rows = new Map<string, number>();
  const ofModule = trace.modules.name.map((name) => {
    const row = rows.get(name) ?? rows.size;
    rows.set(name, row);
    return row;
  });
  const ofFunction = trace.functions.module.map((module) => (module === NONE ? NONE : ofModule[module]));
  // NONE gets a number of its own, which nobody asks for.
  const ofFrame = trace.frames.function.map((fn) => ofFunction[fn] + 1);
  const firstOccurrence = findFirstOccurrences(trace, ofFrame, rows.size + 1);
  return { names: [...rows.keys()], ofFunction, firstOccurrence };
}

function findFirstLines(trace: Trace): Uint8Array {
  const { frames, stacks } = trace;
  const rows = new Map<number, number>([[NONE, 0]]);
  const ofFrame = Int32Array.from({ length: frames.length }, (_, frame) => {
    const key = hasLine(trace, frame) ? frames.file[frame] * 2 ** 24 + frames.line[frame] : NONE;
    const row = rows.get(key) ?? rows.size;
    rows.set(key, row);
    return row;
  });
  const first = findFirstOccurrences(trace, ofFrame, rows.size);
  for (let stack = 0; stack < stacks.length; stack++) if (ofFrame[stacks.frame[stack]] === 0) first[stack + 1] = 0;
  return first;
}

function hasLine({ frames }: Trace, frame: number): boolean {
  return frames.file[frame] !== NONE && frames.line[frame] > 0;
}

/**
 * 1 per slot whose innermost frame has a key that no frame further out has. Walks the trie depth first and counts the
 * keys on the way down, of which there are `keys`, so the cost does not grow with the depth.
 */
function findFirstOccurrences(trace: Trace, keyOfFrame: Int32Array, keys: number): Uint8Array {
  const { stacks } = trace;
  const firstChild = new Int32Array(stacks.length + 1).fill(NONE);
  const sibling = new Int32Array(stacks.length).fill(NONE);
  for (let stack = stacks.length - 1; stack >= 0; stack--) {
    const parent = stacks.prefix[stack] + 1;
    sibling[stack] = firstChild[parent];
    firstChild[parent] = stack;
  }
  const result = new Uint8Array(stacks.length + 1);
  const onPath = new Int32Array(keys);
  let stack = firstChild[0];
  while (stack !== NONE) {
    if (onPath[keyOfFrame[stacks.frame[stack]]]++ === 0) result[stack + 1] = 1;
    if (firstChild[stack + 1] !== NONE) {
      stack = firstChild[stack + 1];
      continue;
    }
    // Up until there is a sibling to go on with.
    while (stack !== NONE) {
      onPath[keyOfFrame[stacks.frame[stack]]]--;
      if (sibling[stack] !== NONE) break;
      stack = stacks.prefix[stack];
    }
    if (stack !== NONE) stack = sibling[stack];
  }
  return result;
}

function mergeByFunction(trace: Trace, hideSystem: boolean, system: Uint8Array, compilers: Uint8Array): CallTree {
  const { stacks, frames } = trace;
  const { noStack, systemCode, compiler } = derived(trace).functionGroups(hideSystem);
  const nodes = createStackRows();
  const ofSlot = new Int32Array(stacks.length + 1);
  // Where the children of a stack go: its node, or the root while only system frames were seen.
  const inside = new Int32Array(stacks.length + 1).fill(NONE);
  const isCompiler = (node: number) => nodes.frame.data[node] === compiler;
  ofSlot[0] = nodes.row(NONE, noStack);
  for (let stack = 0; stack < stacks.length; stack++) {
    const fn = frames.function[stacks.frame[stack]];
    const parent = inside[stacks.prefix[stack] + 1];
    if (hideSystem && compilers[fn] === 1)
      inside[stack + 1] = parent !== NONE && isCompiler(parent) ? parent : nodes.row(parent, compiler);
    else inside[stack + 1] = hideSystem && system[fn] === 1 ? parent : nodes.row(parent, fn);
    ofSlot[stack + 1] = inside[stack + 1] === NONE ? nodes.row(NONE, systemCode) : inside[stack + 1];
  }
  return { length: nodes.prefix.length, parent: nodes.prefix.finish(), group: nodes.frame.finish(), ofSlot };
}

function findReleases(trace: Trace): { present: Uint8Array; without: Uint8Array } {
  const { kind, released, length, combinations } = trace.allocations;
  const present = new Uint8Array(KINDS.length);
  for (const one of combinations.kind) present[one] = 1;
  const without = released === undefined ? present.slice() : new Uint8Array(KINDS.length);
  for (let row = 0; released !== undefined && row < length; row++)
    if (Number.isNaN(released[row])) without[kind[row]] = 1;
  for (const counted of trace.native.allocated.kind) present[counted] = 1;
  return { present, without };
}

/** Sweeps over allocations and releases of the native heap in time order; a release at the time of an allocation comes first. */
function findPeaks(trace: Trace): Float64Array {
  const { allocations, threads, processes } = trace;
  const { time, bytes, thread, kind, released } = allocations;
  const at = new Float64Array(processes.length);
  if (released === undefined) return at;
  const native = kindIndex('native-heap');
  const rows = Uint32Array.from(
    Array.from(kind, (_, row) => row).filter((row) => kind[row] === native && !Number.isNaN(released[row])),
  );
  const byRelease = rows.slice().sort((a, b) => released[a] - released[b]);
  const live = new Float64Array(processes.length);
  const highest = new Float64Array(processes.length);
  let next = 0;
  for (const row of rows) {
    for (; next < byRelease.length && released[byRelease[next]] <= time[row]; next++) {
      live[threads.process[thread[byRelease[next]]]] -= bytes[byRelease[next]];
    }
    const process = threads.process[thread[row]];
    live[process] += bytes[row];
    if (live[process] > highest[process]) {
      highest[process] = live[process];
      at[process] = time[row];
    }
  }
  return at;
}
