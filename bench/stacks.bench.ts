import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentCapture } from '../src/read/agent/capture.ts';
import { readAgentFile } from '../src/read/agent/file.ts';
import { openTrace } from '../src/read/open.ts';
import { openTraceFile } from '../src/trace/file.ts';
import { AGENTS_FOLDER } from '../src/trace/part-names.ts';
import { NONE, type Trace } from '../src/trace/tables.ts';
import { printResult } from './measure.ts';
import { memsurgeRun, WORK } from './peers.ts';
import { buildSmallSolution } from './small-solution.ts';

// How whole and how well named the native stacks of real programs are: node scripts/bench.mjs stacks
// docs/accuracy.md says what the columns mean.

const TRACE = join(WORK, 'stacks.memsurge');
const [script, module] = [join(WORK, 'work.cjs'), join(WORK, 'work.py')];
writeFileSync(
  script,
  `const zlib = require('node:zlib');
const records = Array.from({ length: 20000 }, (_, i) => ({ id: i, name: 'customer ' + (i % 97), tags: [i, i % 7] }));
for (let round = 0; round < 5; round++) {
  const text = JSON.stringify(records);
  const words = new Set(text.match(/[a-z]+ \\d+/g).map((word) => word.replace(/(\\w+) (\\d+)/, '$2-$1')));
  const again = JSON.parse(zlib.gunzipSync(zlib.gzipSync(text)).toString());
  if (again.length !== records.length || words.size !== 97) throw new Error('wrong');
}
`,
);
writeFileSync(
  module,
  `import json, sqlite3
base = sqlite3.connect(':memory:')
base.execute('create table orders (id integer primary key, customer text, amount real)')
base.executemany('insert into orders values (?, ?, ?)', [(i, 'customer %d' % (i % 997), i * 1.19) for i in range(50000)])
rows = base.execute('select customer, sum(amount) from orders group by customer order by 2 desc').fetchall()
again = json.loads(json.dumps([{'customer': row[0], 'sum': row[1], 'tags': list(range(7))} for row in rows]))
assert len(again) == 997
`,
);

const rows: (string | number)[][] = [];
for (const [name, command, variables] of [
  ['dotnet build', buildSmallSolution(), {}],
  ['node', [process.execPath, script], {}],
  ['python3', ['/usr/bin/python3', module], {}],
  ['python3, PYTHONMALLOC=malloc', ['/usr/bin/python3', module], { PYTHONMALLOC: 'malloc' }],
] as const) {
  const code = await recordWatched(command, variables);
  const captures = await readCaptures();
  const { stacks, whole, cut, allCode } = sumUp(captures, code);
  const trace = await openTrace(TRACE);
  const { nativeFrames, nativeFramesUnresolved } = trace.recording;
  const named = 1 - nativeFramesUnresolved / nativeFrames;
  rows.push([name, captures.length, stacks, whole / stacks, cut, allCode / stacks, nativeFrames, named]);
  console.log(`${name}: frames without a name: ${namelessByModule(trace)}`);
}
printResult(
  'native stacks of real programs, exact mode',
  ['program', 'processes', 'stacks', 'whole', 'cut', 'all code', 'frames', 'named'],
  rows,
);

/** Ranges [start, end) of executable memory by pid, as often as one was looked at. */
type Code = Map<number, Map<number, number>>;

/** Records `command` and meanwhile notes which memory of its processes is executable. @throws Error when it fails. */
async function recordWatched(command: readonly string[], variables: NodeJS.ProcessEnv): Promise<Code> {
  const [program, ...args] = memsurgeRun(TRACE, command, '--native', 'exact');
  rmSync(`${TRACE}.recording`, { recursive: true, force: true });
  const child = spawn(program, args, { env: { ...process.env, ...variables }, stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  const code: Code = new Map();
  const timer = setInterval(() => noteCode(code), 10);
  const status = await ended;
  clearInterval(timer);
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}`);
  return code;
}

function noteCode(code: Code): void {
  for (const name of namesIn(join(`${TRACE}.recording`, AGENTS_FOLDER))) {
    const pid = Number.parseInt(name, 10);
    const ranges = code.get(pid) ?? new Map<number, number>();
    if (Number.isNaN(pid)) continue;
    code.set(pid, ranges);
    for (const [, start, end] of mapsOf(pid).matchAll(/^([0-9a-f]+)-([0-9a-f]+) ..x/gm)) {
      const from = Number.parseInt(start, 16);
      ranges.set(from, Math.max(ranges.get(from) ?? 0, Number.parseInt(end, 16)));
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function mapsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'latin1');
  } catch {
    return '';
  }
}

async function readCaptures(): Promise<AgentCapture[]> {
  const file = await openTraceFile(TRACE);
  const parts = [...file.parts].filter((part) => part.endsWith('.agent'));
  const captures = await Promise.all(parts.map(async (part) => readAgentFile(await file.bytes(part))));
  await file.close();
  return captures;
}

function sumUp(captures: readonly AgentCapture[], code: Code) {
  const sums = { stacks: 0, whole: 0, cut: 0, allCode: 0 };
  for (const { pid, sites, stacks } of captures) {
    const isCode = executableIn([...(code.get(pid) ?? [])]);
    const known = Array.from(sites.stack).filter((stack) => stack !== NONE);
    const allCode = new Uint8Array(stacks.length);
    // A parent comes before its children. Return addresses stand behind their call.
    for (let row = 1; row < stacks.length; row++) {
      const parent = stacks.prefix[row];
      allCode[row] = (parent === NONE || allCode[parent] === 1) && isCode(stacks.address[row] - 1) ? 1 : 0;
    }
    sums.stacks += known.length;
    const truncated = sites.isTruncated.reduce((sum, cut) => sum + cut, 0);
    sums.whole += known.length - sites.broken - truncated;
    sums.cut += truncated;
    sums.allCode += known.filter((stack) => allCode[stack] === 1).length;
  }
  return sums;
}

function executableIn(ranges: readonly (readonly [number, number])[]): (address: number) => boolean {
  const known = new Map<number, boolean>();
  return (address) => {
    const page = Math.floor(address / 4096);
    let found = known.get(page);
    if (found === undefined) {
      found = ranges.some(([start, end]) => address >= start && address < end);
      known.set(page, found);
    }
    return found;
  };
}

/** Shares of the frames without a name by where they are, the largest first. */
function namelessByModule({ native, stacks, frames, functions, modules }: Trace): string {
  const counts = new Map<string, number>();
  let total = 0;
  for (const stack of new Set(native.allocated.stack)) {
    for (let row = stack; row !== NONE; row = stacks.prefix[row]) {
      const fn = frames.function[stacks.frame[row]];
      if (!/!\+0x|^\[unknown 0x/.test(functions.name[fn])) continue;
      const module = functions.module[fn] === NONE ? '[no module]' : modules.name[functions.module[fn]];
      counts.set(module, (counts.get(module) ?? 0) + 1);
      total++;
    }
  }
  const largest = [...counts].sort(([, a], [, b]) => b - a).slice(0, 4);
  return largest.map(([module, count]) => `${module} ${((100 * count) / total).toFixed(1)} %`).join(', ');
}
