import { join, posix } from 'node:path';
import { expect, test } from 'vitest';
import { scratchFolder } from '../../support/memsurge.ts';
import { answerOf, buildProgram, open, tool } from './programs.ts';

const folder = await scratchFolder();

/** Every address that a call of the program's own code returns to. */
async function returnAddresses(path: string): Promise<number[]> {
  const listing = await tool('objdump', '-d', '--no-show-raw-insn', '-j', '.text', path);
  const calls = listing.matchAll(/^\s+[0-9a-f]+:\tcall .*\n(?:\n.*\n)?\s+([0-9a-f]+):/gm);
  return Array.from(calls, ([, address]) => Number.parseInt(address, 16));
}

/** Answers of addr2line: for each address its places, innermost first, as "file:line". */
function addr2line(path: string, offsets: readonly number[]): string[][] {
  const input = offsets.map((offset) => offset.toString(16)).join('\n');
  return answerOf('addr2line', ['-ai', '-e', path], input)
    .split(/^0x[0-9a-f]+\n/m)
    .slice(1)
    .map((answer) => [...answer.matchAll(/^(.*):(\d+)/gm)].map(([, file, line]) => `${posix.normalize(file)}:${line}`));
}

test.each(['-gdwarf-4', '-gdwarf-5'])('places and inlined calls are those of addr2line (%s)', async (version) => {
  const program = await buildProgram(join(folder, version), ['-O2', version]);
  const offsets = (await returnAddresses(program)).map((address) => address - 1);
  const theirs = addr2line(program, offsets);
  const symbols = open(program);
  let inlined = 0;
  let known = 0;
  offsets.forEach((offset, i) => {
    const frames = symbols.frames(offset);
    // Start-up code of the C library comes without debug information.
    if (frames.every((frame) => frame.line === 0)) return;
    known++;
    if (frames.length > 1) inlined++;
    expect(frames.map((frame) => `${frame.file}:${frame.line}`)).toEqual(theirs[i]);
  });
  symbols.close();
  expect(known).toBeGreaterThan(60);
  expect(inlined).toBeGreaterThan(30);
});

test('functions of a large program are those of its symbol table', async () => {
  const symbols = open(process.execPath);
  const rows = (await tool('nm', '--defined-only', '-P', process.execPath)).matchAll(/^(\S+) [Tt] (\w+) (\w+)$/gm);
  const functions = Array.from(rows, ([, name, at, size]) => ({
    name,
    start: Number.parseInt(at, 16),
    size: Number.parseInt(size, 16),
  })).filter((one) => one.size > 0 && /^[a-z]\w+$/.test(one.name));
  const some = functions.filter((_, i) => i % 37 === 0);
  for (const { name, start, size } of some) {
    const at = symbols.frames(start + size - 1).at(-1)?.function;
    if (at !== name) expect(functions.some((one) => one.start === start && one.name === at)).toBe(true);
  }
  symbols.close();
});
