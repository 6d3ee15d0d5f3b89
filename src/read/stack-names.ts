import { allocatorFrame, allocatorOf } from '../symbols/native/allocators.ts';
import type { ResolvedFrame, Resolver } from '../symbols/resolve.ts';
import { isLanguageCode } from '../symbols/user-code.ts';
import type { TraceBuilder } from '../trace/builder.ts';
import { cutFrameName } from '../trace/cut-stacks.ts';
import { createKeyIndex } from '../trace/keys.ts';
import { once } from '../trace/once.ts';
import { type FrameIndex, NONE, type StackIndex } from '../trace/tables.ts';
import type { RawStacks } from './nettrace/capture.ts';

/** So many frames of an allocator in a row may have names that do not tell whose they are. */
const UNTOLD_FRAMES = 4;

/** Raw stacks of one source as stacks of the model. */
export interface StackNames {
  /** The stack of the model for a raw stack at a time, ns. */
  at(raw: number, time: number): StackIndex;
  /** As `at`, without the allocator's own frames at its inner end: the innermost frame is whom a user would blame. */
  withoutAllocator(raw: number, time: number): StackIndex;
  /** Frames of a raw stack. */
  depth(raw: number): number;
  /** Frames without a name of a stack of the model. */
  unresolved(stack: StackIndex): number;
  /** The innermost frame of a stack of the model has no name. */
  isUnnamed(stack: StackIndex): boolean;
}

/** Stacks of which only the inner `limit` frames are known. */
export interface CutStacks {
  readonly limit: number;
  isCut(raw: number, depth: number): boolean;
}

/**
 * Names the rows of a trie of addresses. A raw stack is resolved once, unless the meaning of one of its addresses changed
 * over time (code was unloaded and its memory used again): then it is resolved for each event's time.
 * @param innermost 1 per raw stack that allocated itself
 * @param cut which raw stacks that allocated lack their outermost frames, from how many frames on: that is said in their place
 * @param seen where a row's address stands for what was there at one time only: that time per row, ns
 */
export function createStackNames(
  builder: TraceBuilder,
  resolver: Resolver,
  { prefix, address, length }: RawStacks,
  innermost: Uint8Array,
  cut: CutStacks,
  seen?: Float64Array,
): StackNames {
  const PENDING = -2;
  /** Of a stack that depends on time always PENDING. */
  const resolvedStacks = new Int32Array(length).fill(PENDING);
  /** The same of rows as parts of stacks that were cut; made when there is one. */
  let resolvedCut: Int32Array | undefined;
  /** The same without the allocator's frames. */
  const blamedStacks = new Int32Array(length).fill(PENDING);
  const depths = new Int32Array(length);
  const timeDependent = new Uint8Array(length);
  // The same few addresses stand on very many stacks: they are numbered, and what each means is found once.
  const addresses = createKeyIndex();
  const addressRows = new Int32Array(length);
  /** By row of address: it meant different code at different times. */
  const varies: boolean[] = [];
  const unresolvedFrames = new Set<FrameIndex>();
  const allocatorFrames = new Set<FrameIndex>();
  /** Of these, the code of replacements of malloc. */
  const allocatorCode = new Set<FrameIndex>();
  const unresolvedOfStack: number[] = [];
  const unnamedStacks = new Set<StackIndex>();

  for (let raw = 0; raw < length; raw++) {
    const parent = prefix[raw];
    depths[raw] = parent === NONE ? 1 : depths[parent] + 1;
    const row = addresses.add(address[raw], Math.floor(address[raw] / 2 ** 32), 0);
    if (row === varies.length) varies.push(resolver.dependsOnTime(address[raw]));
    addressRows[raw] = row;
    if (seen === undefined && (varies[row] || (parent !== NONE && timeDependent[parent] === 1))) timeDependent[raw] = 1;
  }

  /** By row of address, twice: as a calling frame and as an innermost one. */
  const framesOfAddress = new Array<readonly FrameIndex[] | undefined>(addresses.length * 2);

  const makeFrame = (found: ResolvedFrame): FrameIndex => {
    const module = builder.module(found.moduleName, found.modulePath, found.system);
    const file = found.file === '' ? NONE : builder.file(found.file);
    const { functionName, firstLine, lastLine } = found;
    const isLanguage = isLanguageCode(functionName, found.file);
    const fn = builder.function(functionName, module, file, firstLine, lastLine, isLanguage);
    const frame = builder.frame(fn, file, found.line, found.near);
    if (!found.resolved) unresolvedFrames.add(frame);
    if (allocatorFrame(functionName, found.moduleName)) allocatorFrames.add(frame);
    if (allocatorOf(functionName, found.moduleName) !== undefined) allocatorCode.add(frame);
    return frame;
  };
  const makeFrames = (raw: number, time: number): FrameIndex[] =>
    resolver.resolve(address[raw], time, innermost[raw] === 1).map(makeFrame);
  /** Innermost first. */
  const framesAt = (raw: number, asked: number): readonly FrameIndex[] => {
    const time = seen?.[raw] ?? asked;
    if (varies[addressRows[raw]]) return makeFrames(raw, time);
    const key = addressRows[raw] * 2 + innermost[raw];
    framesOfAddress[key] ??= makeFrames(raw, time);
    return framesOfAddress[key];
  };
  const push = (parent: StackIndex, frame: FrameIndex): StackIndex => {
    const stack = builder.stack(parent, frame);
    if (unresolvedFrames.has(frame)) unnamedStacks.add(stack);
    unresolvedOfStack[stack] ??=
      (parent === NONE ? 0 : unresolvedOfStack[parent]) + (unresolvedFrames.has(frame) ? 1 : 0);
    return stack;
  };
  const pushAll = (parent: StackIndex, frames: readonly FrameIndex[], from: number): StackIndex => {
    let stack = parent;
    for (let i = frames.length - 1; i >= from; i--) stack = push(stack, frames[i]);
    return stack;
  };

  const isCut = (raw: number) => raw !== NONE && cut.isCut(raw, depths[raw]);
  const cutRoot = once(() => {
    const fn = builder.function(cutFrameName(cut.limit), NONE, NONE, 0, 0);
    return push(NONE, builder.frame(fn, NONE, 0, false));
  });

  const path: number[] = [];
  /** `raw` as it stands alone or, `ofCut`, as a part of a stack that was cut. */
  const stackAt = (raw: number, time: number, ofCut: boolean): StackIndex => {
    const root = ofCut ? cutRoot() : NONE;
    if (ofCut) resolvedCut ??= new Int32Array(length).fill(PENDING);
    const resolved = ofCut && resolvedCut ? resolvedCut : resolvedStacks;
    if (raw === NONE) return root;
    if (resolved[raw] !== PENDING) return resolved[raw];
    path.length = 0;
    let row = raw;
    while (row !== NONE && resolved[row] === PENDING) {
      path.push(row);
      row = prefix[row];
    }
    let stack = row === NONE ? root : resolved[row];
    for (let i = path.length - 1; i >= 0; i--) {
      stack = pushAll(stack, framesAt(path[i], time), 0);
      if (timeDependent[path[i]] === 0) resolved[path[i]] = stack;
    }
    return stack;
  };
  const at = (raw: number, time: number): StackIndex => stackAt(raw, time, isCut(raw));

  /** An allocator's own code can have frames between that its names do not tell. */
  const isInAllocator = (raw: number, time: number): boolean => {
    for (let row = prefix[raw], left = UNTOLD_FRAMES; row !== NONE && left > 0; row = prefix[row], left--) {
      if (framesAt(row, time).some((frame) => allocatorCode.has(frame))) return true;
    }
    return false;
  };

  const blamed = (raw: number, time: number): StackIndex => {
    for (let row = raw; row !== NONE; row = prefix[row]) {
      const frames = framesAt(row, time);
      const first = frames.findIndex((frame) => !allocatorFrames.has(frame));
      if (first >= 0 && !isInAllocator(row, time))
        return pushAll(stackAt(prefix[row], time, isCut(raw)), frames, first);
    }
    return at(raw, time);
  };

  return {
    at,
    withoutAllocator(raw, time) {
      if (raw === NONE || timeDependent[raw] === 1) return blamed(raw, time);
      if (blamedStacks[raw] === PENDING) blamedStacks[raw] = blamed(raw, time);
      return blamedStacks[raw];
    },
    depth: (raw) => (raw === NONE ? 0 : depths[raw]),
    unresolved: (stack) => (stack === NONE ? 0 : unresolvedOfStack[stack]),
    isUnnamed: (stack) => unnamedStacks.has(stack),
  };
}
