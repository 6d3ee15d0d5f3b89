import { join } from 'node:path';
import { samplePath } from '../test/support/samples.ts';
import {
  alternate,
  childrenSeconds,
  median,
  medianRatio,
  printResult,
  type Run,
  type Side,
  tellingTimes,
} from './measure.ts';
import { dotnetTraceRun, memsurgeRun, WORK } from './peers.ts';
import { buildSmallSolution } from './small-solution.ts';

// What recording costs in processor time: node scripts/bench.mjs overhead [ROUNDS]
// "target" is the recorded program with its children, "all" is that and the recorder.

const ROUNDS = Number(process.argv[2] ?? 9);
const TRACE = join(WORK, 'overhead');

await churn();
await dotnetBuild();

/** The sample says itself what it used: its work is the same in every run. */
async function churn(): Promise<void> {
  const target = [samplePath('churn'), '8000', '2'];
  await compare('overhead: churn, 8 GB on 2 threads', sidesFor(target), ({ stdout }) => {
    const said = stdout.split('\n').find((line) => line.startsWith('{"bytes"'))!;
    return (JSON.parse(said) as { cpuSeconds: number }).cpuSeconds;
  });
}

/** The build does not say what it used: a shell around it does. */
async function dotnetBuild(): Promise<void> {
  const sides = sidesFor(tellingTimes(buildSmallSolution())).filter((side) => !side.name.startsWith('dotnet-trace'));
  await compare('overhead: dotnet build of a small solution', sides, ({ stdout }) => childrenSeconds(stdout));
}

function sidesFor(target: readonly string[]): Side[] {
  return [
    { name: 'untraced', command: () => target },
    { name: 'untraced again', command: () => target },
    { name: 'memsurge run', command: () => memsurgeRun(`${TRACE}.memsurge`, target) },
    { name: 'dotnet-trace gc-verbose', command: () => dotnetTraceRun(`${TRACE}.nettrace`, target) },
  ];
}

async function compare(name: string, sides: readonly Side[], targetSeconds: (run: Run) => number): Promise<void> {
  const runs = await alternate(sides, ROUNDS);
  const base = runs.get(sides[0])!;
  const rows = sides.map((side) => {
    const own = runs.get(side)!;
    const figures = [targetSeconds, (run: Run) => run.cpuSeconds, (run: Run) => run.wallSeconds].flatMap((of) => [
      median(own.map(of)),
      medianRatio(own.map(of), base.map(of)),
    ]);
    return [side.name, ...figures];
  });
  printResult(name, ['recorder', 'target CPU s', 'ratio', 'all CPU s', 'all ratio', 'wall s', 'wall ratio'], rows);
}
