import { float64Column, int32Column } from '../../trace/columns.ts';

/**
 * How much of the live native blocks was in memory at one moment, by site: a part of a trace, lines of text. The first is
 * the time (monotonic ns), the others `site,blocks,resident bytes`. A block that was never written is not resident.
 */
export interface Residency {
  readonly time: number;
  readonly site: Int32Array;
  readonly blocks: Float64Array;
  readonly bytes: Float64Array;
}

export function formatResidency({ time, site, blocks, bytes }: Residency): string {
  return `${time}\n${Array.from(site, (row, i) => `${row},${blocks[i]},${bytes[i]}\n`).join('')}`;
}

/** More sites than an agent's file has room for. */
const MAX_LINES = 4_000_000;

/** Lines that are cut or damaged are passed over. */
export function parseResidency(text: string): Residency {
  const [first, ...lines] = text.split('\n', MAX_LINES);
  const site = int32Column();
  const blocks = float64Column();
  const bytes = float64Column();
  for (const line of lines) {
    const [row, count, resident] = line.split(',').map(Number);
    if (!(row > 0 && count >= 0 && resident >= 0)) continue;
    site.push(row);
    blocks.push(count);
    bytes.push(resident);
  }
  return { time: Number(first) || 0, site: site.finish(), blocks: blocks.finish(), bytes: bytes.finish() };
}
