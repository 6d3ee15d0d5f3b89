import { expect, test } from 'vitest';
import type { AgentCapture } from '../../../src/read/agent/capture.ts';
import { sortMappings } from '../../../src/read/agent/mappings.ts';
import type { Resolver } from '../../../src/symbols/resolve.ts';
import { KINDS, kindIndex } from '../../../src/trace/kinds.ts';

/** Stacks as "module!function < caller", the innermost first; each maps 100 bytes of which none is released. */
function sort(...stacks: readonly string[]) {
  const frames: string[] = [];
  const prefix: number[] = [];
  const site = stacks.map((text) => {
    let row = -1;
    for (const frame of text.split(' < ').reverse()) {
      prefix.push(row);
      row = frames.push(frame) - 1;
    }
    return row;
  });
  const length = stacks.length + 1;
  const capture = {
    sites: {
      length,
      stack: Int32Array.from([-1, ...site]),
      kind: new Uint8Array(length).fill(kindIndex('mapped')),
      allocatedBytes: new Float64Array(length).fill(100),
      freedBytes: new Float64Array(length),
    },
    stacks: {
      length: frames.length,
      prefix: Int32Array.from(prefix),
      address: Float64Array.from(frames, (_, row) => row),
    },
    seen: new Float64Array(frames.length),
  } as unknown as AgentCapture;
  const resolver = {
    resolve: (row: number) => {
      const [moduleName, functionName = `${moduleName}!+0x10`] = frames[row].split('!');
      return [{ moduleName, modulePath: `/lib/${moduleName}`, functionName }];
    },
  } as unknown as Resolver;
  const { kind, isChunk, chunks, unseen } = sortMappings(capture, resolver);
  return {
    sites: stacks.map((_, i) => (isChunk[i + 1] === 1 ? 'chunk' : KINDS[kind[i + 1]])),
    chunks: [chunks.bytes, ...chunks.allocators],
    unseen: [unseen.bytes, ...unseen.allocators],
  };
}

test('what is mapped below our own malloc is a chunk of its allocator, whatever that is called', () => {
  const { sites, chunks, unseen } = sort(
    'libjemalloc.so.2 < libjemalloc.so.2 < libmemsurge.so < app!keep < app!main',
    'libjemalloc.so.2 < ld-linux-x86-64.so.2',
    'libtheirs.so!grow < libmemsurge.so < app!main',
    'libtheirs.so!map_file < app!main',
    'app!load < app!main',
    'libc.so.6!start_thread',
  );
  expect(sites).toEqual(['chunk', 'chunk', 'chunk', 'mapped', 'mapped', 'mapped']);
  expect(chunks).toEqual([300, 'jemalloc', 'libtheirs.so']);
  expect(unseen).toEqual([0]);
});

test('an allocator whose blocks are not seen is native heap by what it maps', () => {
  const { sites, chunks, unseen } = sort(
    'redis-server!os_pages_map.constprop.0 < redis-server!pac_alloc_real < redis-server!je_malloc < redis-server!main',
    'app!unix_mmap_prim < app!_mi_os_alloc < app!mi_malloc',
    'app!(anonymous namespace)::MmapSysAllocator::Alloc(unsigned long) < app!TCMalloc_SystemAlloc < app!main',
    'app!my_pages_map < app!main',
  );
  expect(sites).toEqual(['native-heap', 'native-heap', 'native-heap', 'mapped']);
  expect(chunks).toEqual([0]);
  expect(unseen).toEqual([300, 'jemalloc', 'mimalloc', 'tcmalloc']);
});

test('what the .NET runtime maps is its own, what a program maps by way of it is not', () => {
  const { sites } = sort(
    'libcoreclr.so < libcoreclr.so < dotnet!main',
    'libclrgc.so < libcoreclr.so',
    'libSystem.Native.so!SystemNative_MMap < [stub] < app.dll!Program.Map',
    'libcoreclr_helper.so!x < app!main',
  );
  expect(sites).toEqual(['runtime', 'runtime', 'mapped', 'mapped']);
});
