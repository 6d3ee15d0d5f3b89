import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ask, memsurge, scratchFolder } from '../support/memsurge.ts';
import { samplePath } from '../support/samples.ts';
import { whyNoNamespaces } from './support.ts';

test.skipIf(whyNoNamespaces() !== undefined)(
  'threads of a process that numbers them itself, as in a container, have their names (needs root)',
  async () => {
    const output = join(await scratchFolder(), 'inside.memsurge');
    const program = [
      'unshare',
      '--pid',
      '--fork',
      '--mount-proc',
      samplePath('story1'),
      '--size',
      '1',
      '--delay',
      '30',
    ];
    expect((await memsurge('run', '-o', output, '--', ...program)).status).toBe(0);
    for (const [kind, threads] of [
      ['gc-heap', ['story1', 'order-importer', 'price-refresher']],
      ['native-heap', ['story1']],
    ] as const) {
      const { rows } = await ask('top', output, '--kind', kind, '--metric', 'allocated', '--by', 'thread');
      const names = rows.map((row) => row.name.replace(/ \(\d+\)$/, ''));
      expect(names).toEqual(expect.arrayContaining([...threads]));
    }
  },
);
