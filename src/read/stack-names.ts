import { allocatorFrame } from '../symbols/native/allocators.ts';
import type { ResolvedFrame, Resolver } from '../symbols/resolve.ts';
import { isLanguageCode } from '../symbols/user-code.ts';
import type { TraceBuilder } from '../trace/builder.ts';
import { createKeyIndex } from '../trace/keys.ts';
import { type FrameIndex, NONE, type StackIndex } from '../trace/tables.ts';
import type { RawStacks } from './nettrace/capture.ts';

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
}

/**
 * Names the rows of a trie of addresses. A raw stack is resolved once, unless the meaning of one of its addresses changed
 * over time (code was unloaded and its memory used again): then it is resolved for each event's time.
 * @param innermost 1 per raw stack that allocated itself
 * @param seen where a row's address stands for what was there at one time only: that time per row, ns
 */
export function createStackNames(
  builder: TraceBuilder,
  resolver: Resolver,
  { prefix, address, length }: RawStacks,
  innermost: Uint8Array,
  seen?: Float64Array,
): StackNames {
  const PENDING = -2;
  /** Of a stack that depends on time always PENDING. */
  const resolvedStacks = new Int32Array(length).fill(PENDING);
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
  const unresolvedOfStack: number[] = [];

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
    unresolvedOfStack[stack] ??=
      (parent === NONE ? 0 : unresolvedOfStack[parent]) + (unresolvedFrames.has(frame) ? 1 : 0);
    return stack;
  };
  const pushAll = (parent: StackIndex, frames: readonly FrameIndex[], from: number): StackIndex => {
    let stack = parent;
    for (let i = frames.length - 1; i >= from; i--) stack = push(stack, frames[i]);
    return stack;
  };

  const path: number[] = [];
  const at = (raw: number, time: number): StackIndex => {
    if (raw === NONE) return NONE;
    if (resolvedStacks[raw] !== PENDING) return resolvedStacks[raw];
    path.length = 0;
    let row = raw;
    while (row !== NONE && resolvedStacks[row] === PENDING) {
      path.push(row);
      row = prefix[row];
    }
    let stack = row === NONE ? NONE : resolvedStacks[row];
    for (let i = path.length - 1; i >= 0; i--) {
      stack = pushAll(stack, framesAt(path[i], time), 0);
      if (timeDependent[path[i]] === 0) resolvedStacks[path[i]] = stack;
    }
    return stack;
  };

  const blamed = (raw: number, time: number): StackIndex => {
    for (let row = raw; row !== NONE; row = prefix[row]) {
      const frames = framesAt(row, time);
      const first = frames.findIndex((frame) => !allocatorFrames.has(frame));
      if (first >= 0) return pushAll(at(prefix[row], time), frames, first);
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
  };
}
