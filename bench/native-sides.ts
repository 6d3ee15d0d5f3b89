import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { whyNoHeaptrack } from '../test/support/heaptrack.ts';
import { ROOT } from '../test/support/root.ts';
import type { Side } from './measure.ts';
import { WORK } from './peers.ts';

/** The agent as `make -C agent` leaves it. */
const AGENT = join(ROOT, '.build', 'agent', 'libmemsurge.so');
const SAMPLE_BYTES = 65_536;
/** In memory, where `memsurge run` has agents write: a disk would add its own price. */
const AGENTS_FOLDER = `/dev/shm/memsurge-bench-${process.pid}`;
process.on('exit', () => rmSync(AGENTS_FOLDER, { recursive: true, force: true }));

export interface RecordingSide extends Side {
  /** The folder that it records into, emptied before each run. */
  readonly recording: string | undefined;
}

/**
 * `target` without a recorder, the same once more as the control, under the agent in both modes without its recorder,
 * and under heaptrack. What is not on this machine is left out with one line.
 */
export function nativeSides(target: readonly string[]): readonly RecordingSide[] {
  const sides: RecordingSide[] = [
    { name: 'none', command: () => target, recording: undefined },
    { name: 'none again', command: () => target, recording: undefined },
  ];
  if (existsSync(AGENT)) sides.push(agentSide('sampled', target), agentSide('exact', target));
  else leftOut('the agent', `${AGENT} is missing: make -C agent`);
  const missing = whyNoHeaptrack();
  if (missing === undefined) sides.push(heaptrackSide(target));
  else leftOut('heaptrack', missing);
  return sides;
}

function agentSide(mode: 'sampled' | 'exact', target: readonly string[]): RecordingSide {
  const recording = join(AGENTS_FOLDER, mode);
  const command = () => {
    rmSync(recording, { recursive: true, force: true });
    mkdirSync(recording, { recursive: true, mode: 0o700 });
    return ['env', `LD_PRELOAD=${AGENT}`, `MEMSURGE_AGENT=${mode},${SAMPLE_BYTES},${recording}`, ...target];
  };
  return { name: `agent ${mode}`, command, recording };
}

/** heaptrack compresses with zstd where that is installed, else with gzip, and names its file accordingly. */
function heaptrackSide(target: readonly string[]): RecordingSide {
  const folder = join(WORK, 'native-heaptrack');
  const command = () => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    return ['heaptrack', '-o', join(folder, 'trace'), ...target];
  };
  return { name: 'heaptrack', command, recording: folder };
}

/** Whether `memsurge run --native` works here: it takes the agent from beside the built command line. */
export function canRecordNative(): boolean {
  const library = join(ROOT, 'dist', 'agent', 'libmemsurge.so');
  if (existsSync(library)) return true;
  leftOut('memsurge run --native', `${library} is missing`);
  return false;
}

const told = new Set<string>();

function leftOut(what: string, why: string): void {
  if (!told.has(what)) console.error(`bench: without ${what}: ${why}`);
  told.add(what);
}

/** Bytes on the disk of all files in `folder`: the agent's files are sparse. */
export function diskBytes(folder: string): number {
  return filesIn(folder).reduce((sum, path) => sum + statSync(path).blocks * 512, 0);
}

export function filesIn(folder: string): string[] {
  return readdirSync(folder).map((name) => join(folder, name));
}

/**
 * The compiler proper on a file full of templates, some two seconds of work: g++ itself would start it as a child, and heaptrack
 * does not follow children.
 */
export function compileTemplates(): string[] {
  const source = join(WORK, 'templates.cpp');
  writeFileSync(source, templates());
  // Includes need options that only g++ knows, so it resolves them here.
  const resolved = join(WORK, 'templates.ii');
  execFileSync('g++', ['-std=c++17', '-E', source, '-o', resolved]);
  const compiler = execFileSync('g++', ['-print-prog-name=cc1plus'], { encoding: 'utf8' }).trim();
  return [compiler, '-quiet', '-std=c++17', '-O1', '-fpreprocessed', resolved, '-o', '/dev/null'];
}

function templates(): string {
  const types = Array.from(
    { length: 15 },
    (_, i) => `struct T${i} { int a[${i + 1}]; bool operator<(const T${i} &o) const { return a[0] < o.a[0]; } };`,
  );
  const uses = types.map(
    (_, i) =>
      `int use${i}() { std::map<T${i}, std::vector<T${i}>> m; std::unordered_map<std::string, T${i}> u; m[T${i}{}].push_back({}); return int(m.size() + u.size()); }`,
  );
  return [
    '#include <map>',
    '#include <string>',
    '#include <unordered_map>',
    '#include <vector>',
    ...types,
    ...uses,
  ].join('\n');
}
