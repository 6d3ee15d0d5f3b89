import { expect, test } from 'vitest';
import { createStackNames } from '../../src/read/stack-names.ts';
import type { Resolver } from '../../src/symbols/resolve.ts';
import { createTraceBuilder } from '../../src/trace/builder.ts';
import { NONE, type Recording, type StackIndex } from '../../src/trace/tables.ts';

/** Names stacks of which each row calls the next; `cut` are the rows whose stacks lack their outermost frames. */
function naming(names: readonly string[], prefix: readonly number[], cut: readonly number[] = []) {
  const builder = createTraceBuilder();
  const resolver = {
    dependsOnTime: () => false,
    resolve: (address: number) => [
      {
        functionName: names[address],
        resolved: !names[address].includes('+0x'),
        moduleName: 'app',
        modulePath: '/app',
        system: false,
        file: '',
        line: 0,
        near: false,
        firstLine: 0,
        lastLine: 0,
      },
    ],
  } as Resolver;
  const stacks = {
    length: names.length,
    prefix: Int32Array.from(prefix),
    address: Float64Array.from(names, (_, row) => row),
  };
  const innermost = new Uint8Array(names.length).fill(1);
  const found = createStackNames(builder, resolver, stacks, innermost, {
    limit: 100,
    isCut: (raw) => cut.includes(raw),
  });
  const framesOf = (asked: readonly StackIndex[]) => {
    const { stacks, frames, functions } = builder.finish({} as Recording);
    return asked.map((stack) => {
      const path: string[] = [];
      for (let row = stack; row !== NONE; row = stacks.prefix[row]) {
        path.unshift(functions.name[frames.function[stacks.frame[row]]]);
      }
      return path;
    });
  };
  return { found, framesOf };
}

test('a stack that was cut begins with a frame that says so, one that shares its rows does not', () => {
  const { found, framesOf } = naming(['Descend', 'Descend', 'Alloc', 'malloc'], [NONE, 0, 1, 2], [3]);
  const stacks = [found.at(3, 0), found.at(2, 0), found.withoutAllocator(3, 0)];
  expect(framesOf(stacks)).toEqual([
    ['[stack cut at 100 frames]', 'Descend', 'Descend', 'Alloc', 'malloc'],
    ['Descend', 'Descend', 'Alloc'],
    ['[stack cut at 100 frames]', 'Descend', 'Descend', 'Alloc'],
  ]);
});

test("what an allocator maps belongs to who called it, also where its frames' names do not tell", () => {
  const { found, framesOf } = naming(
    [
      'main',
      'keep',
      'je_malloc_default',
      'arena_slab_alloc',
      'je_pa_alloc',
      'pac_alloc_real',
      'je_pages_map',
      'os_pages_map.constprop.0',
    ],
    [NONE, 0, 1, 2, 3, 4, 5, 6],
  );
  expect(framesOf([found.withoutAllocator(7, 0)])).toEqual([['main', 'keep']]);
});

test('whether the function that allocated has a name', () => {
  const { found } = naming(['app!+0x10', 'Load', 'app!+0x20'], [NONE, 0, 1]);
  expect([found.isUnnamed(found.at(1, 0)), found.isUnnamed(found.at(2, 0)), found.isUnnamed(NONE)]).toEqual([
    false,
    true,
    false,
  ]);
});
