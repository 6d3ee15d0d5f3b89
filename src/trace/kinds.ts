/** The kinds of memory memsurge tells apart. None of them is ever called by the name of all of them. */
export const KINDS = [
  'gc-heap',
  'native-heap',
  'mapped',
  'stack',
  'code',
  'image',
  'file',
  'runtime',
  'profiler',
  'unexplained',
] as const;
export type Kind = (typeof KINDS)[number];

/** Kinds of memory that the agent records; `runtime` is what the .NET runtime maps for itself. */
export const NATIVE_KINDS: readonly Kind[] = ['native-heap', 'mapped', 'runtime'];
/** Kinds that are recorded at all. */
export const RECORDED_KINDS: readonly Kind[] = ['gc-heap', ...NATIVE_KINDS];

/** Heaps inside the kind `gc-heap`; `none` for every other kind. `frozen` is the runtime's non-GC heap. */
export const HEAPS = ['none', 'soh', 'loh', 'poh', 'frozen'] as const;
export type Heap = (typeof HEAPS)[number];

/** Row numbers of {@link KINDS} and {@link HEAPS}, as the allocation table stores them. */
export type KindIndex = number;
export type HeapIndex = number;

export const kindIndex = (kind: Kind): KindIndex => KINDS.indexOf(kind);
export const heapIndex = (heap: Heap): HeapIndex => HEAPS.indexOf(heap);

/** Full names for a person; the short names above are for flags, JSON and URLs. */
export const HEAP_LABELS: Record<Heap, string> = {
  none: 'not a GC heap',
  soh: 'small object heap (SOH)',
  loh: 'large object heap (LOH)',
  poh: 'pinned object heap (POH)',
  frozen: 'frozen (non-GC) heap',
};

export const KIND_LABELS: Record<Kind, string> = {
  'gc-heap': '.NET memory allocations',
  'native-heap': 'native heap',
  mapped: 'mapped memory',
  stack: 'thread stacks',
  code: 'JIT code and loader heaps',
  image: 'images',
  file: 'mapped files',
  runtime: "the .NET runtime's own memory",
  profiler: 'memsurge itself',
  unexplained: 'unexplained',
};

/** GC generations in the order of the runtime's events: 3 is the large, 4 the pinned object heap. */
export const GENERATIONS = ['gen0', 'gen1', 'gen2', 'loh', 'poh'] as const;
export type Generation = (typeof GENERATIONS)[number];

/** How a collection ran, in the order of the runtime's events. */
export const GC_TYPES = ['blocking', 'background', 'foreground'] as const;

/** GCReasonMap of ClrEtwAll.man and gc_reason of src/coreclr/gc/gc.h in dotnet/runtime, in plain words. */
const GC_REASONS = [
  'small object allocation',
  'induced',
  'low memory',
  '',
  'large object allocation',
  'out of space for small objects',
  'out of space for large objects',
  'induced, not forced',
  'stress test',
  'induced, low memory',
  'induced, compacting',
  'low memory of the host',
  'full collection by provisional mode',
  'low memory of the host, blocking',
  'background tuning, small objects',
  'background tuning, large objects',
  'background stepping',
  'induced, aggressive',
];

/** Why a collection began, in words, from the runtime's own number. */
export const gcReason = (reason: number): string => GC_REASONS[reason] ?? `reason ${reason}`;
