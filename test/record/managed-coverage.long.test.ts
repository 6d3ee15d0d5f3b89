import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask, memsurge, scratchFolder } from '../support/memsurge.ts';
import { samplePath } from '../support/samples.ts';

// Real programs on .NET 10: how often the stated interval of a type holds the bytes that the program counted itself. The
// figures of docs/accuracy.md.

const RUNS = 200;

interface Row {
  readonly name: string;
  readonly bytes: number;
  readonly count: number;
  /** Half width of the interval, as a part of `bytes`; missing: exact. */
  readonly error?: number;
}

test('what the runtime samples of real programs', async () => {
  const folder = await scratchFolder();
  const trace = join(folder, 'mixture.memsurge');
  const intervals: boolean[] = [];
  for (let seed = 1; seed <= RUNS; seed++) {
    const program = [samplePath('mixture'), String(seed)];
    const { status, stdout } = await memsurge('run', '--force', '--native', 'off', '-o', trace, '--', ...program);
    expect(status).toBe(0);
    const { rows } = (await ask('top', trace, '--by', 'type', '--limit', '1000')) as unknown as { rows: Row[] };
    const row = new Map(rows.map((one) => [one.name, one]));
    for (const line of stdout.trim().split('\n')) {
      const [, name, bytes] = /^(.*) (\d+) \d+$/.exec(line)!;
      const seen = row.get(name);
      if (seen) intervals.push(Math.abs(seen.bytes - Number(bytes)) <= (seen.error ?? 0) * seen.bytes + 1e-6);
    }
  }
  const held = intervals.filter(Boolean).length / intervals.length;
  console.log(`managed bytes by type: ${(100 * held).toFixed(1)} % of ${intervals.length}`);
  expect(intervals.length).toBeGreaterThan(20 * RUNS);
  expect(held).toBeGreaterThan(0.94);
  expect(held).toBeLessThan(0.97);
});
