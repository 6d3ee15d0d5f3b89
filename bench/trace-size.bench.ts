import { statSync } from 'node:fs';
import { join } from 'node:path';
import { samplePath } from '../test/support/samples.ts';
import { alternate, printResult, type Side } from './measure.ts';
import { dotnetTraceRun, memsurgeRun, WORK } from './peers.ts';
import { buildSmallSolution } from './small-solution.ts';

// Size of the trace of the same program: node scripts/bench.mjs trace-size

const programs: Record<string, readonly string[]> = {
  story1: [samplePath('story1')],
  'story1 on .NET 8': [samplePath('story1', 'net8.0')],
  mixed: [samplePath('mixed')],
  'churn, 8 GB': [samplePath('churn')],
  'dotnet build': buildSmallSolution(),
};
/** Its children inherit dotnet-trace's port, at which they wait for ever: the build never ends. */
const WITHOUT_PEER = 'dotnet build';

const rows: (string | number)[][] = [];
for (const [name, target] of Object.entries(programs)) {
  const [first, second] = ['first', 'second'].map((part) => join(WORK, `size-${part}.memsurge`));
  const peer = join(WORK, 'size.nettrace');
  const sides: Side[] = [
    { name: `memsurge run ${name}`, command: () => memsurgeRun(first, target) },
    { name: `memsurge run ${name}, again`, command: () => memsurgeRun(second, target) },
  ];
  if (name !== WITHOUT_PEER) sides.push({ name: `dotnet-trace ${name}`, command: () => dotnetTraceRun(peer, target) });
  await alternate(sides, 1);
  const kilobytes = (path: string) => Math.round(statSync(path).size / 1000);
  rows.push([name, kilobytes(first), kilobytes(second), name === WITHOUT_PEER ? '-' : kilobytes(peer)]);
}
printResult('trace-size', ['program', 'memsurge kB', 'memsurge again kB', 'dotnet-trace gc-verbose kB'], rows);
