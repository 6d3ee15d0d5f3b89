import type { Provider, SessionRequest } from './diagnostics/commands.ts';

/**
 * Which events are asked for, per runtime. Keywords, levels and ids are those of
 * dotnet/runtime `src/coreclr/vm/ClrEtwAll.man`; costs and losses behind the choices are in docs/runtime-facts.md.
 */
const RUNTIME_PROVIDER = 'Microsoft-Windows-DotNETRuntime';

const GC = 0x1;
const LOADER = 0x8;
const JIT = 0x10;
const NGEN = 0x20;
const END_RUNDOWN = 0x100;
const IL_MAP = 0x20000;
/** 2^43: randomized allocation sampling, .NET 10 on. */
const ALLOCATION_SAMPLING = 0x80000000000;

/** A rundown of all methods that have code, compiled before or while the program ran. */
const ALL_NAMES = LOADER + JIT + NGEN + END_RUNDOWN + IL_MAP;

const INFORMATIONAL = 4;
const VERBOSE = 5;

/** The events that are read: GCs with their pauses and sizes, and allocations. */
const MAIN_EVENTS = [
  1,
  2, // GCStart, GCEnd
  3,
  7,
  8,
  9, // RestartEEEnd, RestartEEBegin, SuspendEEEnd, SuspendEEBegin
  4, // GCHeapStats
  10, // GCAllocationTick
  39, // GCDynamicEvent: committed usage
  204,
  205, // GCPerHeapHistory, GCGlobalHeapHistory
  303, // AllocationSampled
];

/** Loads and unloads of methods, modules and domains, with the map from IL to native code. */
const SYMBOL_EVENTS = [141, 142, 143, 144, 151, 152, 153, 154, 156, 190];

const BUFFER_MEGABYTES = 256;
const SYMBOL_BUFFER_MEGABYTES = 64;

/** A session and the ending of its part's name: `streams/PID{suffix}.nettrace`. */
export interface PlannedSession {
  readonly suffix: string;
  readonly request: SessionRequest;
}

/**
 * The sessions that record a runtime of `major` version. Where stacks can be left out (.NET 9 on) methods come in a
 * session of their own without them; before that, one session for all, for every method event would have a stack anyway.
 * `namesAtEnd`: when they stop, the runtime names all precompiled methods that ran.
 */
export function planSessions(major: number, namesAtEnd: boolean): PlannedSession[] {
  const rundown = namesAtEnd ? ALL_NAMES : 0;
  const allocations = allocationProvider(major);
  const symbols: Provider = {
    name: RUNTIME_PROVIDER,
    keywords: JIT + LOADER + IL_MAP,
    level: VERBOSE,
    eventIds: SYMBOL_EVENTS,
  };
  if (major < 9) {
    const all = { ...allocations, keywords: allocations.keywords + symbols.keywords };
    return [{ suffix: '', request: session([all], BUFFER_MEGABYTES, { rundown, stacks: true }) }];
  }
  return [
    { suffix: '', request: session([allocations], BUFFER_MEGABYTES, { rundown: 0, stacks: true }) },
    { suffix: '-symbols', request: session([symbols], SYMBOL_BUFFER_MEGABYTES, { rundown, stacks: false }) },
  ];
}

/** A session that is stopped at once: its rundown names the methods that were compiled before. */
export const EARLIER_METHODS: PlannedSession = {
  suffix: '-rundown',
  request: {
    providers: [{ name: RUNTIME_PROVIDER, keywords: 0, level: INFORMATIONAL }],
    bufferMegabytes: SYMBOL_BUFFER_MEGABYTES,
    rundown: ALL_NAMES,
    stacks: false,
  },
};

function allocationProvider(major: number): Provider {
  return major >= 10
    ? { name: RUNTIME_PROVIDER, keywords: GC + ALLOCATION_SAMPLING, level: INFORMATIONAL, eventIds: MAIN_EVENTS }
    : { name: RUNTIME_PROVIDER, keywords: GC, level: VERBOSE };
}

function session(
  providers: Provider[],
  bufferMegabytes: number,
  options: Pick<SessionRequest, 'rundown' | 'stacks'>,
): SessionRequest {
  return { providers, bufferMegabytes, ...options };
}
