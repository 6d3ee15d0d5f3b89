import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  BLOCK,
  COUNTERS,
  HEADER,
  HEADER_BYTES,
  KIND_MAPPED,
  MAP,
  MODE_EXACT,
  MODULE,
  NODE,
  PC,
  ROW_BYTES,
  SAMPLE,
  SECTION_ENTRY_BYTES,
  SECTIONS,
  STACK,
  STACK_BROKEN,
  STACK_TRUNCATED,
  START_ATTACH,
  STARTS,
  STATE_STOPPED,
  STRANGER,
  THREAD,
  THREAD_ROOT,
  VERSION,
  WITHOUT,
} from '../../../src/read/agent/layout.ts';
import { scratchFolder } from '../../support/memsurge.ts';
import { ROOT } from '../../support/root.ts';

const folder = await scratchFolder();
const TABLES = { HEADER, STRANGER, THREAD, MODULE, PC, NODE, STACK, COUNTERS, BLOCK, MAP, SAMPLE, ROW_BYTES };
const NUMBERS = {
  VERSION,
  HEADER_BYTES,
  SECTION_ENTRY_BYTES,
  SECTION_COUNT: SECTIONS.length,
  MODE_EXACT,
  START_ATTACH,
  LAST_START: STARTS.length - 1,
  STATE_STOPPED,
  THREAD_ROOT,
  KIND_MAPPED,
  STACK_TRUNCATED,
  STACK_BROKEN,
  LAST_WITHOUT: WITHOUT.length - 1,
};

const camelCase = (name: string) =>
  name.replace(/\.(\w+)/, (field) => field.replace(/_(\w)/g, (_, letter) => letter.toUpperCase()));

/** What the C compiler says of layout.h. */
function compiled(): Map<string, number> {
  const program = join(folder, 'layout');
  execFileSync('cc', ['-I', join(ROOT, 'agent/src'), '-o', program, join(ROOT, 'agent/test/layout.c')]);
  const lines = execFileSync(program, { encoding: 'utf8' }).trim().split('\n');
  return new Map(lines.map((line) => line.split(' ')).map(([name, value]) => [camelCase(name), Number(value)]));
}

test.skipIf(spawnSync('cc', ['--version']).status !== 0)("the agent's file is read where the agent writes it", () => {
  const there = compiled();
  const ours = [
    ...Object.entries(NUMBERS),
    ...Object.entries(TABLES).flatMap(([table, fields]) =>
      Object.entries(fields).map(([field, value]) => [`${table}.${field}`, value] as const),
    ),
    ...SECTIONS.map((section, number) => [`SECTIONS.${section}`, number] as const),
  ];
  expect(ours).toEqual(ours.map(([name]) => [name, there.get(name)]));
});
