import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { compactOpenAgentFile } from '../../read/agent/compact.ts';
import {
  COUNTERS,
  freedCount,
  HEADER,
  HEADER_BYTES,
  MAGIC,
  MODE_EXACT,
  ROW_BYTES,
  SECTION_ENTRY_BYTES,
  SECTIONS,
  type Section,
  START_ATTACH,
  STATE_STOPPED,
} from '../../read/agent/layout.ts';
import { encodeLook, type SiteGrowth } from '../../read/agent/looks.ts';
import type { Residency } from '../../read/agent/resident.ts';
import { openAgentFile } from './agent-file.ts';
import { measureResidency, openPagemap } from './residency.ts';

/** A process as its agent knows it. */
export interface AgentProcess {
  /** Numbers in its own pid namespace. */
  readonly pid: number;
  readonly parentPid: number;
  /** Inode of that namespace, 0 when it is not known. */
  readonly pidNamespace: number;
}

/** The counters in the file of a running agent. */
export interface AgentCounters {
  /** By our numbers. */
  readonly pid: number;
  readonly parentPid: number;
  /** False: which of our processes it is cannot be told, or it has ended; the pids are its own then. */
  readonly isFound: boolean;
  /** It was loaded into a running process, and has a thread there that ends it; a preloaded one ends with its process. */
  readonly attached: boolean;
  /** Of the agent's file. */
  readonly inode: number;
  /** Monotonic ns. */
  readonly startTime: number;
  readonly executable: string;
  /** With the program's name first; cut to fit the agent's file. */
  readonly arguments: readonly string[];
  /** Live bytes of the native heap as the agent counts them. */
  readonly liveBytes: number;
  /** The most they were. */
  readonly peakBytes: number;
  /** Reads what changed since the look before and begins a new tick; returns the look in its saved form. */
  look(now: number): Uint8Array;
  /** How much of the live blocks is in memory; undefined when that cannot be seen, as at the end of the process. */
  residency(now: number): Residency | undefined;
  /** When the agent ended its recording, monotonic ns; undefined while it goes on. */
  readonly endTime: number | undefined;
  /** Tells the agent that its recorder lives: an attached one ends by itself when it does not hear of it for 30 s. */
  beat(): void;
  /** Asks the agent to stop. */
  askToStop(): void;
  /** The whole file without its holes, even when its folder is gone. */
  whole(): Uint8Array;
  close(): void;
}

/** Counters are read in blocks of as many rows as one dirty byte stands for. */
const BLOCK_ROWS = 64;
const VALUES = 4;

/**
 * Undefined while the agent has not written its header yet, or when it is none. `find` tells what we call the process; it
 * gives undefined when nobody can be told to be it.
 */
export function openAgentCounters(
  path: string,
  find: (process: AgentProcess) => Pick<AgentProcess, 'pid' | 'parentPid'> | undefined,
): AgentCounters | undefined {
  const file = openAgentFile(path);
  const header = Buffer.alloc(HEADER_BYTES);
  const readHeader = (): boolean =>
    readSync(file, header, 0, HEADER_BYTES, 0) === HEADER_BYTES && header.toString('latin1', 0, 8) === MAGIC;
  if (!readHeader() || header.readUInt32LE(HEADER.state) === 0) {
    closeSync(file);
    return undefined;
  }
  const section = (name: Section) => {
    const entry = HEADER.sections + SECTIONS.indexOf(name) * SECTION_ENTRY_BYTES;
    return { offset: u64(header, entry), rows: header.readUInt32LE(entry + 20) };
  };
  const text = (at: number, length: number) => {
    const zero = header.indexOf(0, at);
    return header.toString('utf8', at, zero < 0 || zero > at + length ? at + length : zero);
  };

  const inside: AgentProcess = {
    pid: header.readInt32LE(HEADER.pid),
    parentPid: header.readInt32LE(HEADER.parentPid),
    pidNamespace: u64(header, HEADER.pidNamespace),
  };
  const found = find(inside);
  const { pid, parentPid } = found ?? inside;
  let tick = header.readUInt32LE(HEADER.tick);
  let beats = 0;
  /** Of the process's pages: opened when they are first looked at, null when they cannot be. */
  let pagemap: number | null | undefined;
  /** Per site: allocated bytes, count, freed bytes, count of the look before. */
  let known = new Float64Array(0);
  const block = Buffer.alloc(BLOCK_ROWS * ROW_BYTES.counters);
  const number = Buffer.alloc(4);
  const writeNumber = (at: number, value: number) => {
    number.writeUInt32LE(value);
    writeSync(file, number, 0, 4, at);
  };

  const changesIn = (first: number, rows: number, growth: SiteGrowth[]): void => {
    for (let row = 0; row < rows; row++) {
      const at = row * ROW_BYTES.counters;
      const before = (first + row) * VALUES;
      // An agent's counter can be seen half updated (bytes without count); the next look has the rest.
      const grown = (value: number, i: number): number => {
        const difference = Math.max(0, value - known[before + i]);
        known[before + i] += difference;
        return difference;
      };
      const allocatedBytes = grown(u64(block, at + COUNTERS.allocatedBytes), 0);
      const allocated = u64(block, at + COUNTERS.allocatedCount);
      const allocatedCount = grown(allocated, 1);
      const freedBytes = grown(
        u64(block, at + COUNTERS.ownFreedBytes) + u64(block, at + COUNTERS.foreignFreedBytes),
        2,
      );
      const own = block.readUInt32LE(at + COUNTERS.ownFreedCount);
      const foreign = block.readUInt32LE(at + COUNTERS.foreignFreedCount);
      const freed = grown(freedCount(allocated, own, foreign), 3);
      if (allocatedBytes + allocatedCount + freedBytes + freed === 0) continue;
      growth.push({ site: first + row, allocatedBytes, allocatedCount, freedBytes, freedCount: freed });
    }
  };

  return {
    pid,
    parentPid,
    isFound: found !== undefined,
    attached: header.readUInt32LE(HEADER.start) === START_ATTACH,
    inode: fstatSync(file).ino,
    startTime: u64(header, HEADER.startTime),
    executable: text(HEADER.executable, HEADER.executableBytes),
    arguments: argumentsIn(header.subarray(HEADER.commandLine, HEADER.commandLine + HEADER.commandLineBytes)),
    get liveBytes() {
      let live = u64(header, HEADER.peakBytes);
      for (let gap = 0; gap < HEADER.gapCount; gap++) live -= u64(header, HEADER.gaps + gap * HEADER.gapBytes);
      return Math.max(0, live);
    },
    get peakBytes() {
      return u64(header, HEADER.peakBytes);
    },
    get endTime() {
      readHeader();
      return header.readUInt32LE(HEADER.state) === STATE_STOPPED ? u64(header, HEADER.endTime) : undefined;
    },
    look(now) {
      const before = tick;
      tick = (tick + 1) >>> 0;
      writeNumber(HEADER.tick, tick);
      readHeader();
      const { rows } = section('stacks');
      if (known.length < rows * VALUES) {
        const larger = new Float64Array(Math.max(rows * VALUES, known.length * 2));
        larger.set(known);
        known = larger;
      }
      const dirty = Buffer.alloc(Math.ceil(rows / BLOCK_ROWS));
      readSync(file, dirty, 0, dirty.length, section('dirty').offset);
      const growth: SiteGrowth[] = [];
      for (let i = 0; i < dirty.length; i++) {
        // A thread can have read the tick just before it changed.
        if (dirty[i] !== (before & 0xff) && dirty[i] !== (tick & 0xff) && dirty[i] !== ((before - 1) & 0xff)) continue;
        const first = i * BLOCK_ROWS;
        const here = Math.min(BLOCK_ROWS, rows - first);
        readSync(file, block, 0, here * ROW_BYTES.counters, section('counters').offset + first * ROW_BYTES.counters);
        changesIn(first, here, growth);
      }
      return encodeLook(now, growth);
    },
    residency(now) {
      if (found === undefined) return undefined;
      if (pagemap === undefined) pagemap = openPagemap(file, pid) ?? null;
      if (pagemap === null) return undefined;
      readHeader();
      const mode = header.readUInt32LE(HEADER.mode) === MODE_EXACT ? 'exact' : 'sampled';
      const rows = section(mode === 'exact' ? 'blocks' : 'samples');
      return measureResidency(file, pagemap, mode, rows, { time: now, tick });
    },
    beat: () => writeNumber(HEADER.heartbeat, ++beats),
    askToStop: () => writeNumber(HEADER.stop, 1),
    whole: () => compactOpenAgentFile(file),
    close() {
      closeSync(file);
      if (typeof pagemap === 'number') closeSync(pagemap);
    },
  };
}

/** Each argument has a zero behind it; the last has none where the field was too short. */
function argumentsIn(field: Buffer): string[] {
  const end = field.findLastIndex((byte) => byte !== 0) + 1;
  return end === 0 ? [] : field.toString('utf8', 0, end).split('\0');
}

function u64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}
