import { float64Column, int32Column, uint32Column } from '../../../trace/columns.ts';
import { lastAtMost } from '../../search.ts';
import { indexRanges } from '../range-index.ts';
import { ByteReader } from '../reader.ts';
import { TAG } from './constants.ts';
import { newEntry, readEntry, skipEntry } from './entry.ts';
import { eachRange } from './ranges.ts';
import type { Unit } from './units.ts';

/** A function, or a call of it that was compiled in place. */
export interface Call {
  /** Offset of its entry in .debug_info. */
  readonly entry: number;
  /** Where it was called: number of the file in the line program, and line; 0 for a function of its own. */
  readonly callFile: number;
  readonly callLine: number;
  /** First address of a function of its own, NaN for an inlined call. */
  readonly start: number;
}

/** The functions of a unit and what was inlined into them. */
export interface CallTree {
  /** The calls around `address`, outermost (a function of its own) first; empty where no function is. */
  find(address: number): readonly Call[];
  /** First address of the function of its own that completes the abstract entry at `offset`; undefined without one. */
  startOf(offset: number): number | undefined;
  /** Offsets of the entries around the one at `offset` that have names of their own (namespaces, types), innermost first. */
  scopesOf(offset: number): number[];
  /** Bytes of memory that it takes. */
  readonly bytes: number;
}

const NONE = -1;
/** More than these in one unit is damage: a byte of it may make 50 bytes here. */
const MAX_ROWS = 4_000_000;
const MAX_DEPTH = 4096;

function expectAtMost(limit: number, count: number, what: string): void {
  if (count > limit) throw new RangeError(`more than ${limit} ${what}`);
}

function isScope(tag: number): boolean {
  return (
    tag === TAG.namespace ||
    tag === TAG.structureType ||
    tag === TAG.classType ||
    tag === TAG.unionType ||
    tag === TAG.interfaceType ||
    tag === TAG.enumerationType ||
    tag === TAG.module ||
    tag === TAG.subprogram
  );
}

/**
 * Walks all entries of a unit once.
 * @throws RangeError when they are damaged.
 */
export function readCalls(unit: Unit, isCode: (address: number) => boolean): CallTree {
  const { call, range, scope, origin } = walk(unit, isCode);
  // Functions alone: what was inlined lies within them and is searched from there.
  const functions = indexRanges(range.start, range.end);
  const find = (address: number): readonly Call[] => {
    const row = functions.find(address);
    if (row < 0) return [];
    const chain: Call[] = [];
    let last = range.call[row];
    const describe = (i: number) => ({
      entry: call.entry[i],
      callFile: call.file[i],
      callLine: call.line[i],
      start: call.start[i],
    });
    chain.push(describe(last));
    const end = call.next[last];
    for (let i = last + 1; i < end; ) {
      const isAround = call.parent[i] === last && covers(call.firstRange[i], call.firstRange[i + 1], address);
      if (isAround) {
        last = i;
        chain.push(describe(i));
        i++;
      } else i = call.next[i];
    }
    return chain;
  };
  const covers = (from: number, to: number, address: number): boolean => {
    for (let i = from; i < to; i++) if (address >= range.inlineStart[i] && address < range.inlineEnd[i]) return true;
    return false;
  };
  let starts: Map<number, number> | undefined;
  return {
    find,
    bytes: call.entry.length * 44 + range.inlineStart.length * 16 + range.start.length * 20 + scope.start.length * 20,
    startOf(offset) {
      starts ??= new Map(Array.from(origin.of, (of, i) => [of, origin.start[i]]));
      return starts.get(offset);
    },
    scopesOf(offset) {
      const found: number[] = [];
      for (let i = lastAtMost(scope.start, offset - 1); i >= 0; i = scope.parent[i]) {
        if (scope.end[i] > offset) found.push(scope.start[i]);
      }
      return found;
    },
  };
}

/** Columns of a unit's code: calls in the order of their entries, ranges of functions and of inlined calls, scopes. */
function walk(unit: Unit, isCode: (address: number) => boolean) {
  const call = {
    entry: float64Column(),
    start: float64Column(),
    file: uint32Column(),
    line: uint32Column(),
    parent: int32Column(),
    /** Row behind the last of what lies in it. */
    next: uint32Column(),
    firstRange: uint32Column(),
  };
  const inlineRange = { start: float64Column(), end: float64Column() };
  const range = { start: float64Column(), end: float64Column(), call: uint32Column() };
  const scope = { start: float64Column(), end: float64Column(), parent: int32Column() };
  const origin = { of: float64Column(), start: float64Column() };
  /** For each open entry with children: the call and the scope around its children, and those it opened itself. */
  const open: { call: number; scope: number; ownCall: number; ownScope: number }[] = [];
  const entry = newEntry();
  let aroundCall = NONE;
  let aroundScope = NONE;

  const addCall = (offset: number, start: number): number => {
    const row = call.entry.length;
    expectAtMost(MAX_ROWS, row, 'calls');
    const isInlined = Number.isNaN(start);
    call.entry.push(offset);
    call.start.push(start);
    call.file.push(isInlined ? entry.callFile : 0);
    call.line.push(isInlined ? entry.callLine : 0);
    call.parent.push(isInlined ? aroundCall : NONE);
    call.next.push(row + 1);
    call.firstRange.push(inlineRange.start.length);
    return row;
  };
  const addFunction = (offset: number): number => {
    if (entry.lowPc.form === 0 && entry.ranges.form === 0) return NONE;
    let row = NONE;
    eachRange(unit, entry, (start, end) => {
      if (!isCode(start)) return;
      expectAtMost(MAX_ROWS, range.start.length, 'ranges');
      if (row === NONE) row = addCall(offset, start);
      range.start.push(start);
      range.end.push(end);
      range.call.push(row);
    });
    if (row !== NONE && entry.origin.form !== 0) {
      origin.of.push(entry.origin.value);
      origin.start.push(call.start.data[row]);
    }
    return row;
  };
  const addInlined = (offset: number): number => {
    if (aroundCall === NONE) return NONE;
    const row = addCall(offset, Number.NaN);
    eachRange(unit, entry, (start, end) => {
      expectAtMost(MAX_ROWS, inlineRange.start.length, 'ranges');
      inlineRange.start.push(start);
      inlineRange.end.push(end);
    });
    return row;
  };
  const addScope = (offset: number): number => {
    expectAtMost(MAX_ROWS, scope.start.length, 'scopes');
    scope.start.push(offset);
    scope.end.push(unit.end);
    scope.parent.push(aroundScope);
    return scope.start.length - 1;
  };

  const reader = new ByteReader(unit.sections.info.read(unit.root, unit.end - unit.root));
  while (reader.at < reader.bytes.length) {
    const offset = unit.root + reader.at;
    const code = reader.uleb();
    if (code === 0) {
      const closed = open.pop();
      if (closed === undefined) break;
      if (closed.ownCall !== NONE) call.next.data[closed.ownCall] = call.entry.length;
      if (closed.ownScope !== NONE) scope.end.data[closed.ownScope] = offset;
      aroundCall = closed.call;
      aroundScope = closed.scope;
      if (open.length === 0) break;
      continue;
    }
    const abbreviation = unit.table.get(code);
    const { tag } = abbreviation;
    let ownCall = NONE;
    if (tag === TAG.subprogram || tag === TAG.inlinedSubroutine) {
      readEntry(reader, abbreviation, unit, unit.offset, entry);
      ownCall = tag === TAG.subprogram ? addFunction(offset) : addInlined(offset);
    } else skipEntry(reader, abbreviation, unit);
    if (!abbreviation.hasChildren) {
      if (open.length === 0) break;
      continue;
    }
    const ownScope = isScope(tag) ? addScope(offset) : NONE;
    expectAtMost(MAX_DEPTH, open.length, 'levels');
    open.push({ call: aroundCall, scope: aroundScope, ownCall, ownScope });
    if (ownCall !== NONE) aroundCall = ownCall;
    else if (tag === TAG.subprogram) aroundCall = NONE;
    if (ownScope !== NONE) aroundScope = ownScope;
  }
  call.firstRange.push(inlineRange.start.length);
  return {
    call: {
      entry: call.entry.finish(),
      start: call.start.finish(),
      file: call.file.finish(),
      line: call.line.finish(),
      parent: call.parent.finish(),
      next: call.next.finish(),
      firstRange: call.firstRange.finish(),
    },
    range: {
      start: range.start.finish(),
      end: range.end.finish(),
      call: range.call.finish(),
      inlineStart: inlineRange.start.finish(),
      inlineEnd: inlineRange.end.finish(),
    },
    scope: { start: scope.start.finish(), end: scope.end.finish(), parent: scope.parent.finish() },
    origin: { of: origin.of.finish(), start: origin.start.finish() },
  };
}
