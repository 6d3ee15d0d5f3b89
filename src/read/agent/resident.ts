import { float64Column, int32Column } from '../../trace/columns.ts';
import type { AgentCapture } from './capture.ts';
import type { CountedRows } from './counts.ts';

/**
 * How much of the live native blocks was in memory at one moment, by site: a part of a trace, lines of text. The first is
 * the time (monotonic ns) and the recorder's tick then, the others `site,blocks,resident bytes,bytes of the blocks`. A
 * block that was never written is not resident.
 */
export interface Residency {
  readonly time: number;
  /** Blocks with a later tick are younger; Infinity when it is not known. */
  readonly tick: number;
  readonly site: Int32Array;
  readonly blocks: Float64Array;
  /** Bytes of these blocks as the program asked for them; NaN when that is not known. */
  readonly size: Float64Array;
  /** Bytes of these in memory. */
  readonly bytes: Float64Array;
}

export function formatResidency({ time, tick, site, blocks, bytes, size }: Residency): string {
  const rows = Array.from(site, (row, i) => `${row},${blocks[i]},${Math.round(bytes[i])},${Math.round(size[i])}\n`);
  return `${time},${tick}\n${rows.join('')}`;
}

/** More sites than an agent's file has room for. */
const MAX_LINES = 4_000_000;

/** Lines that are cut or damaged are passed over. Ticks and sizes are not there in traces of earlier versions. */
export function parseResidency(text: string): Residency {
  const [first, ...lines] = text.split('\n', MAX_LINES);
  const [time, tick = Number.POSITIVE_INFINITY] = first.split(',').map(Number);
  const site = int32Column();
  const blocks = float64Column();
  const bytes = float64Column();
  const size = float64Column();
  for (const line of lines) {
    const [row, count, resident, of = Number.NaN] = line.split(',').map(Number);
    if (!(row > 0 && count >= 0 && resident >= 0)) continue;
    site.push(row);
    blocks.push(count);
    bytes.push(resident);
    size.push(of);
  }
  return {
    time: time || 0,
    tick,
    site: site.finish(),
    blocks: blocks.finish(),
    bytes: bytes.finish(),
    size: size.finish(),
  };
}

/**
 * What a measurement says of the blocks that are left at the end: those of them that were looked at, and how much of these
 * was in memory. What was freed since took its share with it; what is younger is in neither.
 * @param estimated per sample the bytes and blocks it stands for
 */
export function residentRows(
  capture: AgentCapture,
  residency: Residency,
  estimated: { readonly bytes: Float64Array; readonly count: Float64Array },
): { measured: CountedRows; resident: CountedRows } {
  const left = leftBySite(capture, residency, estimated);
  const rows = Array.from(residency.site, (_, row) => row).filter((row) => left.count[residency.site[row]] > 0);
  const site = Int32Array.from(rows, (row) => residency.site[row]);
  const time = new Float64Array(rows.length).fill(residency.time);
  const count = Float64Array.from(rows, (row, i) => Math.min(residency.blocks[row], left.count[site[i]]));
  // Before sizes were noted, the blocks tell which part was looked at.
  const bytes = Float64Array.from(rows, (row, i) => {
    const size = residency.size[row];
    return Number.isNaN(size)
      ? (left.bytes[site[i]] * count[i]) / left.count[site[i]]
      : Math.min(size, left.bytes[site[i]]);
  });
  const resident = Float64Array.from(rows, (row, i) => {
    const size = residency.size[row];
    const share = Number.isNaN(size) ? 1 : bytes[i] / Math.max(1, size);
    return Math.min(residency.bytes[row] * share, bytes[i]);
  });
  const { length } = rows;
  return { measured: { length, time, site, bytes, count }, resident: { length, time, site, bytes: resident, count } };
}

/** By site the blocks that live at the end and were there at the measurement: by their ticks, or as samples by their times. */
function leftBySite(
  { mode, sites, blocks, samples }: AgentCapture,
  { time, tick }: Residency,
  estimated: { readonly bytes: Float64Array; readonly count: Float64Array },
) {
  const left = { bytes: new Float64Array(sites.length), count: new Float64Array(sites.length) };
  const [rows, of] = mode === 'exact' ? [blocks, blocks] : [samples, estimated];
  for (let row = 0; row < rows.length; row++) {
    if (mode === 'exact' ? blocks.tick[row] > tick : samples.time[row] > time || samples.released[row] < Infinity)
      continue;
    left.bytes[rows.site[row]] += of.bytes[row];
    left.count[rows.site[row]] += of.count[row];
  }
  return left;
}
