import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const src = fileURLToPath(new URL('../src', import.meta.url));

/** The table of docs/architecture.md: a room may import itself and these. */
const ALLOWED: Record<string, readonly string[]> = {
  trace: [],
  symbols: ['trace'],
  read: ['trace', 'symbols'],
  query: ['trace'],
  wording: ['trace', 'query'],
  export: ['trace', 'query', 'wording'],
  record: ['read', 'symbols', 'trace'],
  serve: ['query', 'trace', 'read'],
  viewer: ['trace', 'query', 'wording', 'serve'],
  cli: ['trace', 'symbols', 'read', 'query', 'wording', 'export', 'record', 'serve'],
};

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file));

/** Relative and package imports of a source file, type imports too. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]);
}

test('every folder of src is a room with a README', () => {
  const rooms = readdirSync(src).sort();
  expect(rooms).toEqual(Object.keys(ALLOWED).sort());
  for (const room of rooms) {
    const readme = readFileSync(join(src, room, 'README.md'), 'utf8').trim();
    expect(readme.split('\n').length, `src/${room}/README.md is short`).toBeLessThanOrEqual(15);
  }
});

test('imports go only where the architecture allows', () => {
  let arrows = 0;
  for (const file of files) {
    const room = file.split(sep)[0];
    for (const target of importsOf(file).filter((name) => name.startsWith('.'))) {
      const targetRoom = relative(src, resolve(dirname(join(src, file)), target)).split(sep)[0];
      if (targetRoom === room) continue;
      arrows++;
      expect(ALLOWED[room], `src/${file} imports ${target}`).toContain(targetRoom);
    }
  }
  expect(arrows).toBeGreaterThan(10);
});

test('the page knows types only of the rooms that hold a trace', () => {
  for (const file of files.filter((name) => name.startsWith(`viewer${sep}`))) {
    const text = readFileSync(join(src, file), 'utf8');
    for (const [statement] of text.matchAll(/^(?:import|export) [^;]*from '[./]+\/(?:query|serve)\/[^']*';/gm)) {
      expect(statement, `src/${file}`).toMatch(/^import type /);
    }
  }
});

test('queries and exports touch no file, no clock and no process', () => {
  for (const file of files.filter((name) => name.startsWith(`query${sep}`) || name.startsWith(`export${sep}`))) {
    expect(
      importsOf(file).filter((name) => !name.startsWith('.')),
      `src/${file}`,
    ).toEqual([]);
    expect(readFileSync(join(src, file), 'utf8')).not.toMatch(/\bDate\.now|performance\.now|(?<![.\w])process\./);
  }
});

test('the architecture document shows the same table', () => {
  const text = readFileSync(fileURLToPath(new URL('../docs/architecture.md', import.meta.url)), 'utf8');
  for (const [room, allowed] of Object.entries(ALLOWED)) {
    const row = text.split('\n').find((line) => line.startsWith(`| \`src/${room}/\``));
    const last = row?.split('|').at(-2)?.trim() ?? '';
    const all = Object.keys(ALLOWED).filter((name) => name !== 'viewer');
    const shown = last === 'nothing' ? [] : last === 'all but viewer' ? all : last.split(', ');
    expect(shown.filter((name) => name !== room).sort(), `the row of src/${room}`).toEqual([...allowed].sort());
  }
});
