import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { nativeSamplePath, samplePath } from '../test/support/samples.ts';
import { alternate, median, medianRatio, printResult, type Run, type Side } from './measure.ts';
import {
  canRecordNative,
  compileTemplates,
  diskBytes,
  filesIn,
  nativeSides,
  type RecordingSide,
} from './native-sides.ts';
import { memsurgeReport, memsurgeRun, WORK } from './peers.ts';
import { buildSmallSolution } from './small-solution.ts';

// What recording native memory costs: node scripts/bench.mjs native [ROUNDS [pairs|programs|traces]]
// The control, "none again", differs from "none" by the noise.

const ROUNDS = Number(process.argv[2] ?? 9);
const PART = process.argv[3];

if (PART === undefined || PART === 'pairs') await pairs();
if (PART === undefined || PART === 'programs') await programs();
if (PART === undefined || PART === 'traces') await traces();

/** ns that one thread waits for a pair of malloc and free of 16 to 256 bytes, below 8 frames. */
async function pairs(): Promise<void> {
  const churn = nativeSamplePath('churn');
  for (const [threads, paths] of [
    [1, 1],
    [2, 1],
    [4, 1],
    [1, 64],
  ]) {
    const each = 2_000_000 / threads;
    const name = `${threads} threads, ${paths === 1 ? 'one stack' : `${paths} stacks`}`;
    await comparePairs(name, [churn, `${each}`, '8', `${threads}`, `${paths}`]);
  }
  await comparePairs('2 threads, P/Invoke', [samplePath('pinvoke-churn'), '1000000', '8', '2']);
}

/** @throws Error when a recorder left nothing behind: its figures would be those of no recorder. */
async function runSides(target: readonly string[]) {
  const sides = nativeSides(target);
  const runs = await alternate(sides, ROUNDS);
  const idle = sides.find(({ recording }) => recording !== undefined && diskBytes(recording) === 0);
  if (idle !== undefined) throw new Error(`${idle.name} recorded nothing`);
  return { sides, runs };
}

async function comparePairs(name: string, target: readonly string[]): Promise<void> {
  const { sides, runs } = await runSides(target);
  const nanoseconds = (side: Side) => runs.get(side as RecordingSide)!.map(nsPerPair);
  const base = nanoseconds(sides[0]);
  const added = sides.map((side) => median(nanoseconds(side).map((ns, round) => ns - base[round])));
  const byHeaptrack = sides.at(-1)!.name === 'heaptrack' ? added.at(-1)! : Number.NaN;
  printResult(
    `native: ns per pair, ${name}, depth 8`,
    ['recorder', 'ns', 'added ns', "of heaptrack's"],
    sides.map((side, at) => [side.name, median(nanoseconds(side)), added[at], added[at] / byHeaptrack]),
  );
}

function nsPerPair({ stdout }: Run): number {
  const said = stdout.split('\n').find((line) => line.startsWith('{"pairs"'))!;
  return (JSON.parse(said) as { nsPerPair: number }).nsPerPair;
}

/**
 * Processor and wall time of real programs, recorders included. heaptrack records the first process of a build only: it takes
 * itself out of the environment.
 */
async function programs(): Promise<void> {
  await comparePrograms('g++ (cc1plus) on templates', compileTemplates());
  await comparePrograms('dotnet build of a small solution', buildSmallSolution());
}

async function comparePrograms(name: string, target: readonly string[]): Promise<void> {
  const { sides, runs } = await runSides(target);
  const base = runs.get(sides[0])!;
  const rows = sides.map((side) => {
    const own = runs.get(side)!;
    const figures = [(run: Run) => run.cpuSeconds, (run: Run) => run.wallSeconds].flatMap((of) => [
      median(own.map(of)),
      medianRatio(own.map(of), base.map(of)),
    ]);
    return [side.name, ...figures, side.recording === undefined ? '-' : diskBytes(side.recording) / 1e6];
  });
  printResult(`native: ${name}`, ['recorder', 'CPU s', 'CPU ratio', 'wall s', 'wall ratio', 'MB on disk'], rows);
}

/** Size of a finished trace, and the time to open it and print what matters. */
async function traces(): Promise<void> {
  await compareTraces('churn, 4M pairs', [nativeSamplePath('churn'), '4000000', '8', '1', '64']);
  await compareTraces('g++ (cc1plus) on templates', compileTemplates());
}

async function compareTraces(name: string, target: readonly string[]): Promise<void> {
  const sides = finishedTraces(target);
  for (const { record } of sides) execFileSync(record[0], record.slice(1), { stdio: 'ignore' });
  const runs = await alternate(sides, ROUNDS);
  const rows = sides.map((side) => {
    const own = runs.get(side)!;
    const kilobytes = Math.round(statSync(side.trace()).size / 1000);
    return [side.name, kilobytes, median(own.map((run) => run.wallSeconds)), median(own.map((run) => run.cpuSeconds))];
  });
  printResult(`native: traces of ${name}`, ['recorder', 'kB', 'open s', 'open CPU s'], rows);
}

interface TraceSide extends Side {
  readonly record: readonly string[];
  readonly trace: () => string;
}

/** Sides whose command opens and prints what `record` leaves in the file `trace`. */
function finishedTraces(target: readonly string[]): TraceSide[] {
  const sides: TraceSide[] = [];
  if (canRecordNative()) {
    for (const mode of ['sampled', 'exact']) {
      const file = join(WORK, `native-${mode}.memsurge`);
      const record = memsurgeRun(file, target, '--native', mode);
      sides.push({ name: `memsurge ${mode}`, record, trace: () => file, command: () => memsurgeReport(file) });
    }
  }
  const heaptrack = nativeSides(target).find((side) => side.name === 'heaptrack');
  if (heaptrack !== undefined) {
    const trace = () => filesIn(heaptrack.recording!)[0];
    const command = () => ['heaptrack_print', trace()];
    sides.push({ name: 'heaptrack', record: heaptrack.command(), trace, command });
  }
  return sides;
}
