import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errorOf, figureOf } from '../../src/query/answer.ts';
import { addRows, ROWS, WIDTH } from '../../src/query/sums.ts';
import type { AgentCapture } from '../../src/read/agent/capture.ts';
import { compactAgentFile } from '../../src/read/agent/compact.ts';
import { readAgentFile } from '../../src/read/agent/file.ts';
import { kindIndex } from '../../src/trace/kinds.ts';
import type { IndexedAllocations } from '../../src/trace/tables.ts';
import type { Unit } from '../../src/trace/view.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';

// Real programs under the real agent: how often the stated interval holds what the program counted itself. The figures of
// docs/accuracy.md.

const RUNS = 400;
const FUNCTIONS = 8;
const LIBRARY = join(ROOT, '.build', 'agent', 'libmemsurge.so');
const folder = await scratchFolder();
const program = join(folder, 'program');

interface Held {
  stated: number;
  held: number;
}

/** Start of each function, bytes and blocks it has left, bytes it allocated. */
type Truth = readonly (readonly number[])[];

function run(seed: number): { capture: AgentCapture; truth: Truth } {
  const directory = mkdtempSync(join(tmpdir(), 'memsurge-coverage-'));
  try {
    const env = { LD_PRELOAD: LIBRARY, MEMSURGE_AGENT: `sampled,65536,${directory}` };
    const { stdout, status } = spawnSync(program, [String(seed)], { env, encoding: 'latin1' });
    expect(status).toBe(0);
    const name = readdirSync(directory).find((one) => one.endsWith('.agent'))!;
    const truth = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number));
    return { capture: readAgentFile(compactAgentFile(join(directory, name))), truth };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Function whose code a site's innermost frame is in: each is shorter than 64 bytes; -1: none of them. */
function functionOf({ stacks, sites }: AgentCapture, truth: Truth, site: number): number {
  const address = stacks.address[sites.stack[site]];
  const starts = truth.map(([start]) => start).filter((start) => address > start && address - start < 64);
  return truth.findIndex(([start]) => start === Math.max(...starts));
}

function count(into: Map<string, Held>, what: string, held: boolean): void {
  const one = into.get(what) ?? { stated: 0, held: 0 };
  into.set(what, one);
  one.stated++;
  one.held += Number(held);
}

function compare(into: Map<string, Held>, seed: number, what: string, unit: Unit, column: number): void {
  const { capture, truth } = run(seed);
  const { samples } = capture;
  const rows = Array.from({ length: samples.length }, (_, row) => row).filter(
    (row) => column === 3 || samples.released[row] === Number.POSITIVE_INFINITY,
  );
  const weights = Float64Array.from(rows, (row) => 1 / -Math.expm1(-samples.size[row] / samples.meanBytes[row]));
  const table = {
    bytes: Float64Array.from(rows, (row, i) => samples.size[row] * weights[i]),
    count: weights,
    thread: new Int32Array(rows.length),
    kind: new Uint8Array(rows.length).fill(kindIndex('native-heap')),
  } as unknown as IndexedAllocations;
  const sums = new Float64Array((FUNCTIONS + 1) * WIDTH);
  const functions = Int32Array.from(rows, (row) => functionOf(capture, truth, samples.site[row]));
  addRows(sums, functions, { table }, { unit }, 1, 0, rows.length);
  for (let i = 0; i < FUNCTIONS; i++) {
    const seen = sums[(i + 1) * WIDTH + ROWS];
    if (seen === 0) continue;
    const figure = figureOf(sums, i + 1, unit);
    const error = errorOf(sums, i + 1, unit) ?? 0;
    const held = Math.abs(figure - truth[i][column]) <= (error + 1e-12) * figure;
    count(into, what, held);
    count(into, `${what}, ${seen < 5 ? 'under 5' : seen < 30 ? '5 to 29' : '30 and more'} samples`, held);
  }
}

test.skipIf(!existsSync(LIBRARY))('what the agent samples of real programs', () => {
  execFileSync('cc', ['-O1', '-g', '-o', program, join(ROOT, 'test/record/sampled-program.c'), '-lm']);
  const all = new Map<string, Held>();
  for (let seed = 1; seed <= RUNS; seed++) {
    compare(all, seed, 'unreleased bytes', 'bytes', 1);
    compare(all, seed + RUNS, 'allocated bytes', 'bytes', 3);
  }
  const share = (what: string) => all.get(what)!.held / all.get(what)!.stated;
  for (const what of [...all.keys()].sort()) {
    console.log(`${what}: ${(100 * share(what)).toFixed(1)} % of ${all.get(what)!.stated}`);
  }
  for (const what of ['unreleased bytes', 'allocated bytes']) {
    expect(share(`${what}, 30 and more samples`)).toBeGreaterThan(0.93);
    expect(share(`${what}, 30 and more samples`)).toBeLessThan(0.97);
    expect(share(what)).toBeGreaterThan(0.94);
  }
});
