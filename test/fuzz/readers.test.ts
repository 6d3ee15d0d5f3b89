import { beforeAll, expect, test } from 'vitest';
import { scratchFolder } from '../support/memsurge.ts';
import { fuzzOnce } from './fuzz.ts';
import { allTargets } from './seeds.ts';
import type { Target } from './targets.ts';

/** A short form of readers.long.test.ts, always with the same damages. */
const RUNS = 25;
const folder = await scratchFolder();
let targets: Target[] = [];

beforeAll(async () => {
  targets = await allTargets(folder);
});

test('every reader survives what is damaged', () => {
  expect(targets.length).toBeGreaterThan(10);
  for (const target of targets) {
    target.read(target.seed);
    for (let seed = 0; seed < RUNS; seed++) {
      const finding = fuzzOnce(target, seed);
      expect(finding && `${finding.target}, seed ${finding.seed}: ${finding.what}`).toBeUndefined();
    }
  }
});
