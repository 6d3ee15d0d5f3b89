import { join } from 'node:path';
import { samplePath } from '../test/support/samples.ts';
import { alternate, median, printResult, type Run, type Side } from './measure.ts';
import { dotnetTraceRun, memsurgeRun, WORK } from './peers.ts';

// Time from the command to the target's first instruction, and until all is over: node scripts/bench.mjs startup [ROUNDS]

const ROUNDS = Number(process.argv[2] ?? 15);
const target = [samplePath('hello')];
const sides: Side[] = [
  { name: 'untraced', command: () => target },
  { name: 'untraced again', command: () => target },
  { name: 'memsurge run', command: () => memsurgeRun(join(WORK, 'startup.memsurge'), target) },
  { name: 'dotnet-trace gc-verbose', command: () => dotnetTraceRun(join(WORK, 'startup.nettrace'), target) },
];

const runs = await alternate(sides, ROUNDS);
const base = runs.get(sides[0])!;
printResult(
  'startup: hello',
  ['recorder', 'ms to Main', 'added ms', 'ms to end', 'added ms to end'],
  sides.map((side) => {
    const own = runs.get(side)!;
    const columns = [toMain, toEnd].flatMap((of) => [median(own.map(of)), added(own.map(of), base.map(of))]);
    return [side.name, ...columns.map(Math.round)];
  }),
);

/** The sample prints the monotonic clock, which is Node's too, at its first instruction. */
function toMain({ stdout, startedAt }: Run): number {
  return (Number(/^\d{9,}$/m.exec(stdout)![0]) - startedAt) / 1e6;
}

function toEnd({ wallSeconds }: Run): number {
  return wallSeconds * 1000;
}

/** Median of the differences, paired by round. */
function added(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, round) => value - base[round]));
}
