import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isLong } from '../../support/long.ts';
import { scratchFolder } from '../../support/memsurge.ts';
import { answerOf, buildProgram, open, SOURCES, shortFrames, tool, truthOf } from './programs.ts';

const folder = await scratchFolder();

/** Some systems have it only with its version in the name. */
const clang = ['clang++', ...Array.from({ length: 10 }, (_, i) => `clang++-${i + 12}`)].find((command) => {
  return answerOf(command, ['--version']) !== '';
});

type Variants = Record<string, { compiler?: string; options: string[] }>;

const MORE_VARIANTS: Variants = {
  'DWARF 2': { options: ['-O2', '-gdwarf-2'] },
  'DWARF 3': { options: ['-O2', '-gdwarf-3'] },
  'DWARF 4, types apart': { options: ['-O2', '-gdwarf-4', '-fdebug-types-section'] },
  'DWARF 5': { options: ['-O2', '-gdwarf-5'] },
  '64-bit DWARF': { options: ['-O2', '-g', '-gdwarf64'] },
  'without optimisation': { options: ['-O0', '-g'] },
  ...(clang && { 'clang, DWARF 4': { compiler: clang, options: ['-O2', '-gdwarf-4'] } }),
};
const VARIANTS: Variants = {
  ...(isLong && MORE_VARIANTS),
  'DWARF 2, strict': { options: ['-O2', '-gdwarf-2', '-gstrict-dwarf'] },
  'DWARF 4': { options: ['-O2', '-gdwarf-4'] },
  'DWARF 5, types apart': { options: ['-O2', '-gdwarf-5', '-fdebug-types-section'] },
  'packed sections': { options: ['-O2', '-g', '-gz'] },
  'at a fixed address': { options: ['-O2', '-g', '-no-pie', '-fno-pie'] },
  'dropped functions': { options: ['-O2', '-g', '-ffunction-sections', '-Wl,--gc-sections'] },
  'link-time optimisation': { options: ['-O2', '-g', '-flto'] },
  'split DWARF': { options: ['-O2', '-g', '-gsplit-dwarf'] },
  ...(clang && { 'clang, DWARF 5': { compiler: clang, options: ['-O2', '-gdwarf-5'] } }),
};

describe('the line of each call is the one the program says', () => {
  test.each(Object.keys(VARIANTS))('%s', async (name) => {
    const { compiler, options } = VARIANTS[name];
    const program = await buildProgram(join(folder, name.replace(/\W/g, '-')), options, compiler);
    const symbols = open(program);
    const truth = await truthOf(program);
    expect(truth.length).toBeGreaterThan(15);
    for (const { address, file, line } of truth) {
      const [innermost] = symbols.frames(address - 1);
      expect({ file: innermost?.file, line: innermost?.line }, `${address.toString(16)}`).toEqual({ file, line });
    }
    expect(symbols.problem).toBe('');
    expect(symbols.notes).toEqual(
      name === 'split DWARF' ? ['functions inlined into others are in .dwo files, which are not read'] : [],
    );
    symbols.close();
  });
});

describe('functions', async () => {
  const program = await buildProgram(join(folder, 'functions'), ['-O2', '-g']);
  const truth = await truthOf(program);
  const framesFrom = (file: string, line: number) => {
    const at = truth.filter((one) => one.file === join(SOURCES, file) && one.line === line);
    const symbols = open(program);
    const frames = at.map((one) => shortFrames(symbols, one.address - 1));
    symbols.close();
    return frames;
  };

  test('calls compiled in place are told apart, each with the line it was made from', () => {
    expect(framesFrom('plain.c', 5)).toEqual([
      ['squared plain.c:5', 'only_here plain.c:10'],
      ['squared plain.c:5', 'only_here plain.c:11'],
    ]);
    expect(framesFrom('shapes.h', 22)).toContainEqual([
      'geometry::Store<int>::grow(unsigned long) shapes.h:22',
      'geometry::Store<int>::add(int) shapes.h:15',
      'geometry::(anonymous namespace)::hidden(int) shapes.cpp:26',
    ]);
  });

  test('lambdas, classes within functions and functions of one file have their full names', () => {
    expect(framesFrom('main.cpp', 12)[0]).toEqual([
      'Ring<double, 3>::turn(double)::{lambda(int)#1}::operator()(int) const main.cpp:12',
      'Ring<double, 3>::turn(double) main.cpp:16',
    ]);
    expect(framesFrom('main.cpp', 26)[0][0]).toBe('local_class::Counter::next main.cpp:26');
    expect(framesFrom('main.cpp', 39)[0][0]).toBe('main::{lambda}::operator() main.cpp:39');
    expect(framesFrom('shapes.cpp', 19)[0][0]).toBe('geometry::(anonymous namespace)::Square::scaled shapes.cpp:19');
  });

  test('the cold part of a function is still the function, and of aliases the plainest name is taken', () => {
    expect(framesFrom('plain.c', 18)).toEqual([['plain plain.c:18']]);
    const symbols = open(program);
    const cold = answerOf('nm', [program])
      .split('\n')
      .find((line) => line.endsWith(' main.cold'));
    expect(symbols.frames(Number.parseInt(cold!, 16)).at(-1)?.function).toBe('main');
    symbols.close();
  });

  test('where a function was declared is known', () => {
    const { address } = truth.find((one) => one.file.endsWith('plain.c') && one.line === 18)!;
    const symbols = open(program);
    expect(symbols.frames(address - 1)[0]).toMatchObject({ declLine: 16, inlined: false });
    symbols.close();
  });

  test('addresses outside of code, between functions and beyond everything are not known', () => {
    const symbols = open(program);
    for (const offset of [0, 1, -1, 0x10, 2 ** 40, 2 ** 52, Number.NaN]) expect(symbols.frames(offset)).toEqual([]);
    symbols.close();
  });
});

describe('debug information in a file of its own', async () => {
  const whole = await buildProgram(join(folder, 'whole'), ['-O2', '-g']);
  const truth = await truthOf(whole);
  const buildId = open(whole).buildId;

  async function split(name: string, ...options: string[]): Promise<{ program: string; debug: string }> {
    mkdirSync(join(folder, name));
    const program = join(folder, name, 'program');
    const debug = join(folder, name, 'program.debug');
    copyFileSync(whole, program);
    await tool('objcopy', '--only-keep-debug', ...options, program, debug);
    await tool('objcopy', '--strip-all', program);
    await tool('objcopy', `--add-gnu-debuglink=${debug}`, program);
    return { program, debug };
  }
  const expectAll = (program: string, from: string) => {
    const symbols = open(program, buildId);
    expect(symbols.sources).toEqual([program, from]);
    for (const { address, file, line } of truth) {
      expect(symbols.frames(address - 1)[0]).toMatchObject({ file, line });
    }
    symbols.close();
  };

  test('beside the program, and in .debug, packed', async () => {
    expect(buildId).toMatch(/^[0-9a-f]{40}$/);
    const beside = await split('beside');
    expectAll(beside.program, beside.debug);
    const { program, debug } = await split('below', '--compress-debug-sections');
    const moved = join(dirname(debug), '.debug', 'program.debug');
    mkdirSync(dirname(moved));
    renameSync(debug, moved);
    expectAll(program, moved);
  });

  test('by its checksum where there is no build id', async () => {
    const { program, debug } = await split('nameless', '--remove-section=.note.gnu.build-id');
    await tool('objcopy', '--remove-section=.note.gnu.build-id', program);
    const symbols = open(program);
    expect(symbols.buildId).toBe('');
    expect(symbols.sources).toEqual([program, debug]);
    expect(symbols.frames(truth[0].address - 1)[0]).toMatchObject({ line: truth[0].line });
    symbols.close();
  });

  test('not from another build', async () => {
    const { program, debug } = await split('other');
    const other = await buildProgram(join(folder, 'other-build'), ['-O1', '-g']);
    await tool('objcopy', '--only-keep-debug', other, debug);
    const symbols = open(program);
    expect(symbols.sources).toEqual([program]);
    expect(symbols.notes).toEqual([`${debug} belongs to another build`]);
    expect(symbols.frames(truth[0].address - 1)).toEqual([]);
    symbols.close();
  });
});

test('a program that was built again is not used, and one that is not there is said so', async () => {
  const program = await buildProgram(join(folder, 'again'), ['-O2', '-g']);
  const [{ address }] = await truthOf(program);
  const { buildId } = open(program);
  expect(open(program, buildId.toUpperCase()).frames(address - 1)).not.toEqual([]);
  const stale = open(
    program,
    buildId.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
  );
  expect(stale.problem).toBe(`${program} was built again since the process loaded it`);
  expect(stale.frames(address - 1)).toEqual([]);
  expect(open('/no/such/file').problem).toBe('/no/such/file is not there or not readable');
  expect(open(join(SOURCES, 'main.cpp')).problem).toBe(`${join(SOURCES, 'main.cpp')} is not an ELF file`);
});
