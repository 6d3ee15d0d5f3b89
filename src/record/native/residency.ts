import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { BLOCK, ROW_BYTES, SAMPLE } from '../../read/agent/layout.ts';
import type { Residency } from '../../read/agent/resident.ts';
import { float64Column, int32Column } from '../../trace/columns.ts';

const PAGE = 4096;
/** A window is what one table of pages maps, 2 MiB: the unit in which address space is looked at. */
const WINDOW_PAGES = 512;
const WINDOW_BYTES = WINDOW_PAGES * PAGE;
/** Bytes of an entry of /proc/PID/pagemap, and of the bits that we keep of a window. */
const ENTRY = 8;
const WINDOW_BITS = WINDOW_PAGES / 8;
/** Windows read at once where they lie side by side: 512 KiB of entries. */
const RUN_WINDOWS = 128;
/** Address space looked at at most, 256 GiB: blocks beyond it are not measured. */
const MAX_WINDOWS = 2 ** 17;
/** Rows of the agent's file read at once. */
const CHUNK_ROWS = 1 << 15;

/** Rows of the agent's file at `offset`. */
export interface RowsAt {
  readonly offset: number;
  readonly rows: number;
}

/**
 * Opens /proc/PID/pagemap when the process has the agent's file `file` mapped: undefined for one that became another
 * program meanwhile. What is opened stays with this address space and reads as nothing when that is gone.
 */
export function openPagemap(file: number, pid: number): number | undefined {
  let pagemap: number;
  try {
    pagemap = openSync(`/proc/${pid}/pagemap`, 'r');
  } catch {
    return undefined;
  }
  try {
    // Opened first: a program that comes in between has none of this mapped.
    const { ino } = fstatSync(file);
    if (readFileSync(`/proc/${pid}/maps`, 'latin1').includes(` ${ino} `)) return pagemap;
  } catch {
    // Ended.
  }
  closeSync(pagemap);
  return undefined;
}

/**
 * How much of the live blocks of a process is in memory now (or in swap), from its pagemap. Exact mode lists blocks,
 * sampled mode samples, whose share stands for the blocks they stand for.
 * @param file descriptor of the agent's file
 * @returns undefined when the process ended before all was looked at: a part of its blocks tells nothing
 */
export function measureResidency(
  file: number,
  pagemap: number,
  mode: 'exact' | 'sampled',
  rows: RowsAt,
  { time, tick }: Pick<Residency, 'time' | 'tick'>,
): Residency | undefined {
  try {
    const blocks = liveBlocks(file, mode, rows);
    const pages = readPages(pagemap, blocks);
    return pages && { time, tick, ...sumBySite(blocks, pages) };
  } catch {
    return undefined;
  }
}

/** Blocks in no order, and how many each stands for. */
interface Blocks {
  readonly address: Float64Array;
  readonly size: Float64Array;
  readonly site: Int32Array;
  readonly weight: Float64Array;
}

function liveBlocks(file: number, mode: 'exact' | 'sampled', { offset, rows }: RowsAt): Blocks {
  const address = float64Column();
  const size = float64Column();
  const site = int32Column();
  const weight = float64Column();
  const rowBytes = mode === 'exact' ? ROW_BYTES.blocks : ROW_BYTES.samples;
  const siteAt = (mode === 'exact' ? BLOCK.stack : SAMPLE.stack) / 4;
  const words = new Uint32Array((Math.min(rows, CHUNK_ROWS) * rowBytes) / 4);
  const u64 = (word: number): number => words[word] + words[word + 1] * 0x1_0000_0000;
  for (let first = 0; first < rows; first += CHUNK_ROWS) {
    const wanted = Math.min(CHUNK_ROWS, rows - first) * rowBytes;
    const end = readSync(file, words, 0, wanted, offset + first * rowBytes) / 4;
    for (let at = 0; at + rowBytes / 4 <= end; at += rowBytes / 4) {
      const start = u64(at + BLOCK.address / 4);
      if (start === 0 || (mode === 'sampled' && u64(at + SAMPLE.releasedTime / 4) !== 0)) continue;
      const length = u64(at + BLOCK.size / 4);
      if (length === 0) continue;
      address.push(start);
      size.push(length);
      site.push(words[at + siteAt]);
      weight.push(mode === 'exact' ? 1 : 1 / -Math.expm1(-length / u64(at + SAMPLE.meanBytes / 4)));
    }
  }
  return { address: address.finish(), size: size.finish(), site: site.finish(), weight: weight.finish() };
}

/** Which pages of the windows that blocks lie in are in memory. */
interface Pages {
  /** Place of a window in the other two; windows beyond the most that are looked at have none. */
  readonly slot: ReadonlyMap<number, number>;
  /** A bit per page. */
  readonly bits: Uint8Array;
  /** Pages in memory. */
  readonly count: Uint16Array;
}

/** Reads windows in the order of their addresses, neighbours together. Undefined: the process has ended meanwhile. */
function readPages(pagemap: number, blocks: Blocks): Pages | undefined {
  const windows = windowsOf(blocks);
  const slot = new Map<number, number>();
  const bits = new Uint8Array(windows.length * WINDOW_BITS);
  const count = new Uint16Array(windows.length);
  const entries = Buffer.alloc(RUN_WINDOWS * WINDOW_PAGES * ENTRY);
  for (let first = 0; first < windows.length; ) {
    let end = first + 1;
    while (end < windows.length && end - first < RUN_WINDOWS && windows[end] === windows[end - 1] + 1) end++;
    const wanted = (end - first) * WINDOW_PAGES * ENTRY;
    const got = readSync(pagemap, entries, 0, wanted, windows[first] * WINDOW_PAGES * ENTRY);
    if (got === 0) return undefined;
    entries.fill(0, got, wanted);
    for (let window = first; window < end; window++) {
      slot.set(windows[window], window);
      const from = (window - first) * WINDOW_PAGES;
      for (let page = 0; page < WINDOW_PAGES; page++) {
        // Present or swapped: bits 63 and 62 (proc_pid_pagemap(5)).
        if ((entries[(from + page) * ENTRY + 7] & 0xc0) === 0) continue;
        bits[window * WINDOW_BITS + (page >> 3)] |= 1 << (page & 7);
        count[window]++;
      }
    }
    first = end;
  }
  return { slot, bits, count };
}

function windowsOf({ address, size }: Blocks): Float64Array {
  const windows = new Set<number>();
  let last = -1;
  for (let i = 0; i < address.length; i++) {
    const end = address[i] + size[i];
    for (let window = Math.floor(address[i] / WINDOW_BYTES); window * WINDOW_BYTES < end; window++) {
      if (window === last) continue;
      if (windows.size === MAX_WINDOWS) return Float64Array.from(windows).sort();
      windows.add(window);
      last = window;
    }
  }
  return Float64Array.from(windows).sort();
}

function sumBySite({ address, size, site, weight }: Blocks, pages: Pages): Omit<Residency, 'time' | 'tick'> {
  const sums = new Map<number, { blocks: number; size: number; bytes: number }>();
  for (let i = 0; i < address.length; i++) {
    const resident = residentBytes(pages, address[i], size[i]);
    if (Number.isNaN(resident)) continue;
    let sum = sums.get(site[i]);
    if (sum === undefined) {
      sum = { blocks: 0, size: 0, bytes: 0 };
      sums.set(site[i], sum);
    }
    sum.blocks += weight[i];
    sum.size += weight[i] * size[i];
    sum.bytes += weight[i] * resident;
  }
  const found = [...sums].sort(([a], [b]) => a - b);
  return {
    site: Int32Array.from(found, ([one]) => one),
    blocks: Float64Array.from(found, ([, sum]) => sum.blocks),
    size: Float64Array.from(found, ([, sum]) => sum.size),
    bytes: Float64Array.from(found, ([, sum]) => sum.bytes),
  };
}

/** Bytes of [address, address + size) on pages in memory, NaN where not all of it was looked at. */
function residentBytes({ slot, bits, count }: Pages, address: number, size: number): number {
  const end = address + size;
  let bytes = 0;
  for (let window = Math.floor(address / WINDOW_BYTES); window * WINDOW_BYTES < end; window++) {
    const at = slot.get(window);
    if (at === undefined) return Number.NaN;
    const from = Math.max(address, window * WINDOW_BYTES);
    const to = Math.min(end, (window + 1) * WINDOW_BYTES);
    if (to - from === WINDOW_BYTES || count[at] === 0) {
      bytes += count[at] * PAGE;
      continue;
    }
    for (let page = Math.floor(from / PAGE); page * PAGE < to; page++) {
      const place = page % WINDOW_PAGES;
      if ((bits[at * WINDOW_BITS + (place >> 3)] & (1 << (place & 7))) === 0) continue;
      bytes += Math.min(to, (page + 1) * PAGE) - Math.max(from, page * PAGE);
    }
  }
  return bytes;
}
