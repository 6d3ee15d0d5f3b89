import type { NativeModule } from '../../symbols/code.ts';
import { TraceError } from '../../trace/errors.ts';
import { kindIndex } from '../../trace/kinds.ts';
import { ordered, timeOrder } from '../../trace/order.ts';
import { NONE } from '../../trace/tables.ts';
import { u64At, utf8, viewOf } from '../nettrace/bytes.ts';
import type { RawStacks } from '../nettrace/capture.ts';
import type {
  AgentBlocks,
  AgentCapture,
  AgentLosses,
  AgentSamples,
  AgentSites,
  AgentThread,
  Stranger,
} from './capture.ts';
import {
  BLOCK,
  COUNTERS,
  freedCount,
  HEADER,
  HEADER_BYTES,
  KIND_MAPPED,
  KIND_MASK,
  MAGIC,
  MAP,
  MODE_EXACT,
  MODULE,
  NODE,
  PC,
  ROW_BYTES,
  SAMPLE,
  SECTION_ENTRY_BYTES,
  SECTIONS,
  type Section,
  STACK,
  STACK_BROKEN,
  STACK_TRUNCATED,
  STARTS,
  STRANGER,
  THREAD,
  THREAD_ROOT,
  VERSION,
  WITHOUT,
} from './layout.ts';

/** Rows [0, length) of a section; row i is at `from + i × row bytes`. */
interface Rows {
  readonly from: number;
  readonly length: number;
}

interface AgentBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly rows: Record<Section, Rows>;
  readonly isCut: boolean;
}

/**
 * The agent's file, complete or as a death left it: a pure function of its bytes. Numbers that point nowhere (a damaged
 * file) are read as "none", so that the rest is not lost.
 * @throws TraceError when it is no such file or of another version, or holds figures that no program can have.
 */
export function readAgentFile(bytes: Uint8Array): AgentCapture {
  const file = openBytes(bytes);
  const { view } = file;
  const threads = readThreads(file);
  const trie = readTrie(file, threads.length);
  const sites = readSites(file, trie);
  const mode = view.getUint32(HEADER.mode, true) === MODE_EXACT ? 'exact' : 'sampled';
  const start = STARTS[view.getUint32(HEADER.start, true)] ?? 'preload';
  const endTime = u64At(view, HEADER.endTime);
  const capture: AgentCapture = {
    pid: view.getInt32(HEADER.pid, true),
    parentPid: view.getInt32(HEADER.parentPid, true),
    mode,
    start,
    beforeBytes: start === 'attach' ? u64At(view, HEADER.beforeBytes) || Number.NaN : 0,
    startTime: u64At(view, HEADER.startTime),
    endTime: endTime === 0 ? Number.NaN : endTime,
    meanBytes: u64At(view, HEADER.meanBytes),
    executable: text(bytes, HEADER.executable, HEADER.executableBytes),
    shadowed: view.getUint32(HEADER.shadowed, true) !== 0,
    sandboxed: view.getUint32(HEADER.sandboxed, true) !== 0,
    strangers: { count: view.getUint32(HEADER.strangerCount, true), last: readStranger(file, HEADER.stranger) },
    became: readBecame(file),
    losses: readLosses(view),
    isCut: file.isCut,
    threads,
    modules: readModules(file),
    stacks: trie.stacks,
    seen: trie.seen,
    sites,
    blocks: readBlocks(file, sites.length, mode),
    samples: readSamples(file, sites.length),
    peakBytes: u64At(view, HEADER.peakBytes),
    peakTime: u64At(view, HEADER.peakTime),
    tick: view.getUint32(HEADER.tick, true),
  };
  checkFigures(capture);
  return capture;
}

/** No program has had so many bytes or blocks, and beyond it numbers are not whole any more. */
const MOST = Number.MAX_SAFE_INTEGER;
/** An address has 48 bits. */
const MOST_BYTES_OF_ONE = 2 ** 48;

/** @throws TraceError when a figure is one that no program can have: a damaged file would drown all others in it. */
function checkFigures({ mode, meanBytes, sites, samples, blocks, peakBytes }: AgentCapture): void {
  const isSize = (bytes: number) => bytes > 0 && bytes < MOST_BYTES_OF_ONE;
  const columns = [sites.allocatedBytes, sites.allocatedCount, sites.freedBytes, sites.temporaryCount, blocks.bytes];
  const isBelievable =
    peakBytes <= MOST &&
    (mode === 'exact' || isSize(meanBytes)) &&
    samples.size.every(isSize) &&
    samples.meanBytes.every(isSize) &&
    columns.every((column) => column.every((value) => value <= MOST));
  if (!isBelievable) throw new TraceError('it is damaged: it has figures that no program can have');
}

function openBytes(bytes: Uint8Array): AgentBytes {
  if (bytes.length < HEADER_BYTES || utf8(bytes, 0, MAGIC.length) !== MAGIC) {
    throw new TraceError('this is not a file of the memsurge agent');
  }
  const view = viewOf(bytes);
  const version = view.getUint32(HEADER.version, true);
  if (version !== VERSION) {
    throw new TraceError(`the agent's file has version ${version}, this memsurge reads ${VERSION}; record it again`);
  }
  let isCut = view.getUint32(HEADER.isCut, true) !== 0;
  const rows = Object.fromEntries(
    SECTIONS.map((section, i) => {
      const entry = HEADER.sections + i * SECTION_ENTRY_BYTES;
      const from = u64At(view, entry);
      const claimed = view.getUint32(entry + 20, true);
      const there = from > bytes.length ? 0 : Math.floor((bytes.length - from) / ROW_BYTES[section]);
      isCut ||= there < claimed;
      return [section, { from, length: Math.min(claimed, there) }];
    }),
  ) as Record<Section, Rows>;
  return { bytes, view, rows, isCut };
}

/** Text up to its zero or the end of its field. */
function text(bytes: Uint8Array, from: number, length: number): string {
  const zero = bytes.subarray(from, from + length).indexOf(0);
  return utf8(bytes, from, from + (zero < 0 ? length : zero));
}

function readStranger({ bytes, view }: AgentBytes, at: number): Stranger {
  const why = WITHOUT[view.getUint32(at + STRANGER.why, true)] ?? 'the agent is not in it';
  return { path: text(bytes, at + STRANGER.path, STRANGER.pathBytes), why };
}

function readBecame(file: AgentBytes): AgentCapture['became'] {
  const time = u64At(file.view, HEADER.execTime);
  return time === 0 ? undefined : { ...readStranger(file, HEADER.became), time };
}

function readLosses(view: DataView): AgentLosses {
  const at = (i: number) => u64At(view, HEADER.losses + 8 * i);
  return {
    droppedCount: at(0),
    droppedBytes: at(1),
    stacklessCount: at(2),
    unknownFreedCount: at(3),
    missedFreeCount: at(4),
    skippedCount: at(5),
  };
}

function readThreads({ bytes, view, rows }: AgentBytes): AgentThread[] {
  return Array.from({ length: rows.threads.length }, (_, row) => {
    const at = rows.threads.from + row * ROW_BYTES.threads;
    return { osId: view.getUint32(at + THREAD.tid, true), name: text(bytes, at + THREAD.name, THREAD.nameBytes) };
  });
}

function readModules({ bytes, view, rows }: AgentBytes): NativeModule[] {
  return Array.from({ length: rows.modules.length }, (_, row) => {
    const at = rows.modules.from + row * ROW_BYTES.modules;
    const path = view.getUint32(at + MODULE.path, true);
    const idBytes = Math.min(32, view.getUint32(at + MODULE.buildIdBytes, true));
    const id = bytes.subarray(at + MODULE.buildId, at + MODULE.buildId + idBytes);
    const toTime = u64At(view, at + MODULE.toTime);
    return {
      path: path < rows.strings.length ? text(bytes, rows.strings.from + path, rows.strings.length - path) : '',
      buildId: Buffer.from(id).toString('hex'),
      start: u64At(view, at + MODULE.start),
      end: u64At(view, at + MODULE.end),
      bias: u64At(view, at + MODULE.bias),
      from: u64At(view, at + MODULE.fromTime),
      to: toTime === 0 ? Number.POSITIVE_INFINITY : toTime,
    };
  });
}

interface Trie {
  readonly stacks: RawStacks;
  readonly seen: Float64Array;
  /** Row of threads per node. */
  readonly thread: Int32Array;
  /** 1 per node that is a thread's root. */
  readonly root: Uint8Array;
}

function readTrie({ view, rows }: AgentBytes, threads: number): Trie {
  const { length } = rows.nodes;
  const prefix = new Int32Array(length).fill(NONE);
  const address = new Float64Array(length);
  const seen = new Float64Array(length);
  const thread = new Int32Array(length).fill(NONE);
  const root = new Uint8Array(length);
  for (let node = 1; node < length; node++) {
    const at = rows.nodes.from + node * ROW_BYTES.nodes;
    const parent = view.getUint32(at + NODE.parent, true);
    const pc = view.getUint32(at + NODE.pc, true);
    if (pc >= THREAD_ROOT) {
      root[node] = 1;
      if (pc - THREAD_ROOT < threads) thread[node] = pc - THREAD_ROOT;
      continue;
    }
    // A parent is written before its children.
    if (parent > 0 && parent < node) {
      thread[node] = thread[parent];
      if (root[parent] === 0) prefix[node] = parent;
    }
    if (pc < rows.pcs.length) {
      const pcAt = rows.pcs.from + pc * ROW_BYTES.pcs;
      address[node] = u64At(view, pcAt + PC.pc);
      seen[node] = u64At(view, pcAt + PC.fromTime);
    }
  }
  return { stacks: { length, prefix, address }, seen, thread, root };
}

const HEAP = kindIndex('native-heap');
const MAPPED = kindIndex('mapped');

function readSites({ view, rows }: AgentBytes, trie: Trie): AgentSites {
  const length = Math.min(rows.stacks.length, rows.counters.length);
  const number = () => new Float64Array(length);
  const sites = {
    length,
    stack: new Int32Array(length).fill(NONE),
    thread: new Int32Array(length).fill(NONE),
    kind: new Uint8Array(length),
    allocatedBytes: number(),
    allocatedCount: number(),
    freedBytes: number(),
    freedCount: number(),
    temporaryCount: number(),
    peakBytes: number(),
    peakCount: number(),
    isTruncated: new Uint8Array(length),
    broken: 0,
  };
  const peakEpoch = view.getUint32(HEADER.peakEpoch, true);
  for (let site = 1; site < length; site++) {
    const at = rows.stacks.from + site * ROW_BYTES.stacks;
    const node = view.getUint32(at + STACK.node, true);
    const flags = view.getUint32(at + STACK.flags, true);
    if (node < trie.stacks.length) {
      sites.thread[site] = trie.thread[node];
      if (node > 0 && trie.root[node] === 0) sites.stack[site] = node;
    }
    sites.kind[site] = (flags & KIND_MASK) === KIND_MAPPED ? MAPPED : HEAP;
    if (flags & STACK_TRUNCATED) sites.isTruncated[site] = 1;
    if (flags & STACK_BROKEN) sites.broken++;
    readCounters(view, rows.counters.from + site * ROW_BYTES.counters, sites, site, peakEpoch);
  }
  return sites;
}

function readCounters(view: DataView, at: number, sites: AgentSites, site: number, peakEpoch: number): void {
  sites.allocatedBytes[site] = u64At(view, at + COUNTERS.allocatedBytes);
  sites.allocatedCount[site] = u64At(view, at + COUNTERS.allocatedCount);
  sites.freedBytes[site] = u64At(view, at + COUNTERS.ownFreedBytes) + u64At(view, at + COUNTERS.foreignFreedBytes);
  const own = view.getUint32(at + COUNTERS.ownFreedCount, true);
  const foreign = view.getUint32(at + COUNTERS.foreignFreedCount, true);
  sites.freedCount[site] = freedCount(sites.allocatedCount[site], own, foreign);
  sites.temporaryCount[site] = u64At(view, at + COUNTERS.temporaryCount);
  if (sites.kind[site] !== HEAP) return;
  // Copied on the first change after a new peak: until then the site still holds what it held then.
  const changedSince = view.getUint32(at + COUNTERS.peakEpoch, true) === peakEpoch;
  sites.peakBytes[site] = changedSince
    ? u64At(view, at + COUNTERS.peakBytes)
    : sites.allocatedBytes[site] - sites.freedBytes[site];
  sites.peakCount[site] = changedSince
    ? view.getUint32(at + COUNTERS.peakCount, true)
    : sites.allocatedCount[site] - sites.freedCount[site];
}

/** Live blocks (in sampled mode the samples tell of them) and live mappings; free places are passed over. */
function readBlocks({ view, rows }: AgentBytes, sites: number, mode: AgentCapture['mode']): AgentBlocks {
  const rowOf = new Map<number, number>();
  const site: number[] = [];
  const tick: number[] = [];
  const bytes: number[] = [];
  const count: number[] = [];
  const add = (where: number, when: number, size: number) => {
    if (where >= sites) return;
    const key = where * 2 ** 32 + when;
    let row = rowOf.get(key);
    if (row === undefined) {
      row = site.push(where) - 1;
      tick.push(when);
      bytes.push(0);
      count.push(0);
      rowOf.set(key, row);
    }
    bytes[row] += size;
    count[row]++;
  };
  for (let row = 0; mode === 'exact' && row < rows.blocks.length; row++) {
    const at = rows.blocks.from + row * ROW_BYTES.blocks;
    if (view.getUint32(at, true) === 0 && view.getUint32(at + 4, true) === 0) continue;
    add(view.getUint32(at + BLOCK.stack, true), view.getUint32(at + BLOCK.tick, true), u64At(view, at + BLOCK.size));
  }
  for (let row = 0; row < rows.maps.length; row++) {
    const at = rows.maps.from + row * ROW_BYTES.maps;
    const length = u64At(view, at + MAP.length);
    if (length > 0) add(view.getUint32(at + MAP.stack, true), view.getUint32(at + MAP.tick, true), length);
  }
  return {
    length: site.length,
    site: Int32Array.from(site),
    tick: Int32Array.from(tick),
    bytes: Float64Array.from(bytes),
    count: Float64Array.from(count),
  };
}

function readSamples({ view, rows }: AgentBytes, sites: number): AgentSamples {
  // A row is counted before its bytes are there only while the process writes it; such a row has no mean yet.
  const written = new Float64Array(rows.samples.length);
  let length = 0;
  for (let row = 0; row < rows.samples.length; row++) {
    const at = rows.samples.from + row * ROW_BYTES.samples;
    const isWritten = u64At(view, at + SAMPLE.meanBytes) > 0 && u64At(view, at + SAMPLE.time) > 0;
    if (isWritten && view.getUint32(at + SAMPLE.stack, true) < sites) written[length++] = at;
  }
  const fileOrder = written.subarray(0, length);
  const order = timeOrder(fileOrder.map((at) => u64At(view, at + SAMPLE.time)));
  const places = order === undefined ? fileOrder : ordered(fileOrder, order);
  const column = (offset: number) => places.map((at) => u64At(view, at + offset));
  return {
    length,
    address: column(SAMPLE.address),
    size: column(SAMPLE.size),
    time: column(SAMPLE.time),
    released: column(SAMPLE.releasedTime).map((time) => (time === 0 ? Number.POSITIVE_INFINITY : time)),
    site: Int32Array.from(places, (at) => view.getUint32(at + SAMPLE.stack, true)),
    meanBytes: column(SAMPLE.meanBytes),
  };
}
