import { closeSync, openSync, readSync } from 'node:fs';
import { BLOCK, ROW_BYTES, SAMPLE } from '../../read/agent/layout.ts';
import type { Residency } from '../../read/agent/resident.ts';

const PAGE = 4096;
const ENTRY = 8;
/** Entries of /proc/PID/pagemap read at once: what 2 MiB of address space take. */
const WINDOW_PAGES = 512;
/** Most bytes of rows looked at: tens of millions of blocks would keep the recorder too long. */
const MAX_BYTES = 256 * 1024 * 1024;

/** Rows of the agent's file at `offset`. */
export interface RowsAt {
  readonly offset: number;
  readonly rows: number;
}

/**
 * How much of the live blocks of process `pid` is in memory now (or in swap), from /proc/PID/pagemap. Exact mode lists
 * blocks, sampled mode samples, whose share stands for the blocks they stand for.
 * @param file descriptor of the agent's file
 * @returns undefined when the process is gone or does not let us look
 */
export function measureResidency(
  file: number,
  pid: number,
  mode: 'exact' | 'sampled',
  { offset, rows }: RowsAt,
  time: number,
): Residency | undefined {
  let pagemap: number;
  try {
    pagemap = openSync(`/proc/${pid}/pagemap`, 'r');
  } catch {
    return undefined;
  }
  try {
    const rowBytes = mode === 'exact' ? ROW_BYTES.blocks : ROW_BYTES.samples;
    const bytes = Buffer.alloc(Math.min(rows * rowBytes, MAX_BYTES));
    readSync(file, bytes, 0, bytes.length, offset);
    const resident = residentBytesIn(pagemap);
    const sums = new Map<number, { blocks: number; bytes: number }>();
    for (let at = 0; at + rowBytes <= bytes.length; at += rowBytes) {
      const address = u64(bytes, at + BLOCK.address);
      const size = u64(bytes, at + BLOCK.size);
      if (address === 0 || size === 0) continue;
      const site = bytes.readUInt32LE(at + (mode === 'exact' ? BLOCK.stack : SAMPLE.stack));
      let weight = 1;
      if (mode === 'sampled') {
        if (u64(bytes, at + SAMPLE.releasedTime) !== 0) continue;
        weight = 1 / -Math.expm1(-size / u64(bytes, at + SAMPLE.meanBytes));
      }
      const sum = sums.get(site) ?? { blocks: 0, bytes: 0 };
      sums.set(site, sum);
      sum.blocks += weight;
      sum.bytes += weight * resident(address, size);
    }
    const found = [...sums].sort(([a], [b]) => a - b);
    return {
      time,
      site: Int32Array.from(found, ([site]) => site),
      blocks: Float64Array.from(found, ([, sum]) => sum.blocks),
      bytes: Float64Array.from(found, ([, sum]) => Math.round(sum.bytes)),
    };
  } catch {
    return undefined;
  } finally {
    closeSync(pagemap);
  }
}

/** Bytes of [address, address + size) on pages that are present or swapped (bits 63 and 62 of an entry, proc_pid_pagemap(5)). */
function residentBytesIn(pagemap: number): (address: number, size: number) => number {
  const window = Buffer.alloc(WINDOW_PAGES * ENTRY);
  let windowFrom = -1;
  let windowPages = 0;
  const isResident = (page: number): boolean => {
    const from = page - (page % WINDOW_PAGES);
    if (from !== windowFrom) {
      windowPages = readSync(pagemap, window, 0, window.length, from * ENTRY) / ENTRY;
      windowFrom = from;
    }
    return page - from < windowPages && (window[(page - from) * ENTRY + 7] & 0xc0) !== 0;
  };
  return (address, size) => {
    const end = address + size;
    let bytes = 0;
    for (let page = Math.floor(address / PAGE); page * PAGE < end; page++) {
      if (isResident(page)) bytes += Math.min(end, (page + 1) * PAGE) - Math.max(address, page * PAGE);
    }
    return bytes;
  };
}

function u64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 0x1_0000_0000;
}
