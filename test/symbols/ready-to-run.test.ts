import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseImageMappings } from '../../src/read/procfs/process.ts';
import { collectSymbols, type ProcessCode } from '../../src/symbols/collect.ts';
import { fileImages } from '../../src/symbols/images.ts';
import { type Module, openModule } from '../../src/symbols/modules.ts';
import { createResolver } from '../../src/symbols/resolve.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { type Framework, samplePath } from '../support/samples.ts';
import { buildShapes, outputOf, type Recorded, recordByRuntime } from './programs.ts';

const folder = await scratchFolder();
const open = (path: string): Module =>
  openModule({ path, pid: process.pid, pdbGuid: '', pdbPath: '' }, fileImages(), () => undefined);

test('every entry point the runtime looks up is the method that the mapped image says', async () => {
  const dll = await buildShapes(join(folder, 'shapes'), 'build');
  const output = await outputOf('dotnet', dll, 'entries');
  const images = parseImageMappings(
    output
      .filter(([kind]) => kind === 'map')
      .map(([, line]) => line)
      .join('\n'),
  );
  const modules = new Map<string, Module>();
  const entries = output.filter(([kind]) => kind === 'entry');
  const wrong: string[] = [];
  for (const [, entry, type, name] of entries) {
    const image = images.find(({ base, end }) => Number(entry) >= base && Number(entry) < end)!;
    if (!modules.has(image.path)) modules.set(image.path, open(image.path));
    const module = modules.get(image.path)!;
    const rva = Number(entry) - image.base;
    const found = module.readyToRun?.find(rva);
    const method = found && module.metadata?.method(found.methodRow);
    const owner = found?.instance?.owner || method?.type;
    if (found?.rva !== rva || owner !== type || method?.name !== name)
      wrong.push(`${type}.${name} was ${owner}.${method?.name}`);
  }
  expect(entries.length).toBeGreaterThan(300);
  expect(wrong).toEqual([]);
});

describe.each<Framework>(['net8.0', 'net9.0', 'net10.0'])('%s', (framework) => {
  let recorded: Recorded;
  let code: ProcessCode;

  beforeAll(async () => {
    const trace = join(folder, `${framework}.nettrace`);
    recorded = await recordByRuntime(trace, samplePath('exits', framework), 'normal');
    // Every method of the rundown, called at its start and at its end, as if it were on a stack.
    const precompiled = recorded.capture.code.filter((body) => body.origin === 'r2r');
    const address = Float64Array.from([
      ...precompiled.map((body) => body.start + 1),
      ...precompiled.map((body) => body.start + body.size),
    ]);
    code = { ...recorded.code, used: { address, time: new Float64Array(address.length) } };
  });

  test('names all precompiled code as the rundown does, from the image alone', async () => {
    // As .NET 8 reports most of them: by token alone, so that the images must be asked.
    const nameless = code.code.map((body) => (body.origin === 'r2r' ? { ...body, namespace: '', name: '' } : body));
    const bundle = await collectSymbols([{ ...code, code: nameless }], fileImages());
    const { images } = bundle.processes[0];
    const rows = new Map(
      bundle.modules.flatMap((module) => {
        const base = images.find((image) => image.path === module.path)?.base ?? 0;
        return module.code.map((row) => [base + row.rva, row] as const);
      }),
    );
    const bodies = code.code.filter((body) => body.origin === 'r2r');
    const differ = bodies.filter((body) => {
      const row = rows.get(body.start);
      return (
        row?.token !== body.token ||
        (body.name !== '' && `${row.namespace} ${row.name}` !== `${body.namespace} ${body.name}`)
      );
    });
    expect(bodies.length).toBeGreaterThan(300);
    expect(differ).toEqual([]);

    const resolver = createResolver({ ...code, code: [], images }, bundle);
    const unresolved = Array.from(code.used.address).filter(
      (address) => !resolver.resolve(address, 0, false)[0].resolved,
    );
    expect(unresolved).toEqual([]);
    for (const module of bundle.modules) expect(module, module.path).toMatchObject({ problem: '' });
  });

  test('maps native code to IL in order and within the code', () => {
    const core = recorded.capture.modules.find((module) => module.path.endsWith('/System.Private.CoreLib.dll'))!;
    const { readyToRun, metadata } = open(core.path);
    let maps = 0;
    const damaged: number[] = [];
    for (let row = 1; row <= metadata!.methodCount; row += 7) {
      const [start] = readyToRun!.codeOf(row);
      if (start === undefined) continue;
      const found = readyToRun!.find(start.rva)!;
      if (found.methodRow !== row || found.size !== start.size || found.nativeOffset !== 0) damaged.push(row);
      const map = found.ilMap();
      if (map === undefined) continue;
      maps++;
      const isSound = map.native.every((offset, i) => {
        const isInOrder = offset >= (i === 0 ? 0 : map.native[i - 1]) && offset <= found.size;
        return isInOrder && map.il[i] >= -3 && map.il[i] < 65536;
      });
      if (!isSound) damaged.push(row);
    }
    expect(maps).toBeGreaterThan(1000);
    expect(damaged).toEqual([]);
  });
});

test('native libraries and missing images are not taken for managed ones', async () => {
  const images = [
    { path: '/usr/lib/libc.so.6', base: 0x10000, end: 0x20000, from: 0 },
    { path: '/gone/Shop.dll', base: 0x20000, end: 0x30000, from: 0 },
  ];
  const used = { address: Float64Array.of(0x10010, 0x20010, 0x40000), time: new Float64Array(3) };
  const process: ProcessCode = { pid: 1, code: [], modules: [], images, native: [], used, types: [] };
  const bundle = await collectSymbols([process], fileImages());
  const resolver = createResolver(process, bundle);
  expect(resolver.resolve(0x10010, 0, false)[0]).toMatchObject({
    functionName: 'libc.so.6!+0x10',
    resolved: false,
    system: true,
  });
  expect(resolver.resolve(0x20010, 0, false)[0]).toMatchObject({
    functionName: 'Shop!+0x10',
    resolved: false,
    system: false,
  });
  expect(resolver.resolve(0x40000, 0, false)[0]).toMatchObject({ functionName: '[unknown 0x40000]', resolved: false });
  expect(bundle.modules.map((module) => [module.path, module.problem])).toEqual([
    ['/gone/Shop.dll', '/gone/Shop.dll is not there or not readable'],
  ]);
});
