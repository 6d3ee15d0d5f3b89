import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchFolder } from '../support/memsurge.ts';
import { ROOT } from '../support/root.ts';
import { fuzzOnce } from './fuzz.ts';
import { allTargets } from './seeds.ts';

/**
 * All readers on damaged inputs for MEMSURGE_FUZZ_SECONDS (ten minutes without), from seed MEMSURGE_FUZZ_SEED on (the time
 * of day without). Each finding is printed with its seed and saved, minimised, in .build/fuzz.
 */
const SECONDS = Number(process.env.MEMSURGE_FUZZ_SECONDS ?? 600);
const FIRST = Number(process.env.MEMSURGE_FUZZ_SEED ?? Date.now() % 2 ** 31);
const SAVED = join(ROOT, '.build', 'fuzz');
const folder = await scratchFolder();

test('every reader survives what is damaged', { timeout: (SECONDS + 600) * 1000 }, async () => {
  const targets = await allTargets(folder);
  const found = new Map<string, string>();
  const deadline = Date.now() + SECONDS * 1000;
  let seed = FIRST;
  for (; Date.now() < deadline; seed++) {
    for (const target of targets) {
      const finding = fuzzOnce(target, seed);
      if (finding === undefined) continue;
      // One of each kind: the same place in the reader is found again and again.
      const kind = `${target.name}: ${finding.what.split('\n').slice(0, 2).join(' ').replaceAll(/\d+/g, 'N')}`;
      if (found.has(kind)) continue;
      mkdirSync(SAVED, { recursive: true });
      const path = join(SAVED, `${target.name.replaceAll(/\W+/g, '-')}-${seed}`);
      writeFileSync(path, finding.input);
      found.set(kind, `seed ${seed}, ${path}: ${finding.what}`);
      console.error(`${kind}\n${found.get(kind)}`);
    }
    await new Promise(setImmediate);
  }
  console.error(`${targets.length} readers, seeds ${FIRST} to ${seed - 1}, ${found.size} findings`);
  expect([...found.values()]).toEqual([]);
});
