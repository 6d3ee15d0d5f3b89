import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchFolder } from '../support/memsurge.ts';
import { recordChurn } from './churn.ts';

const folder = await scratchFolder();

test('ten thousand children', async () => {
  const { status, most, manifest, trace } = await recordChurn(join(folder, 'churn.memsurge'), 10_000, 256);
  console.log(`open files ${most.files}, in shared memory ${(most.memory / 2 ** 20).toFixed(1)} MiB`);
  expect(status).toBe(5);
  // The shell still runs when more have ended than are kept.
  expect(manifest.processes.length).toBeGreaterThan(9_000);
  expect(trace.processes).toHaveLength(manifest.processes.length);
  expect(most.files).toBeLessThan(256);
  expect(most.memory).toBeLessThan(64 * 1024 ** 2);
}, 1_800_000);
