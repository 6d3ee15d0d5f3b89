import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseSymbolBundle, type SymbolBundle } from '../../src/symbols/bundle.ts';
import { collectSymbols } from '../../src/symbols/collect.ts';
import { fileImages, type ImageSource } from '../../src/symbols/images.ts';
import { createResolver, type ResolvedFrame } from '../../src/symbols/resolve.ts';
import { NONE } from '../../src/trace/tables.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { buildShapes, type Recorded, recordByRuntime } from './programs.ts';

interface Allocation {
  readonly name: string;
  /** Line of the statement as the runtime's own stack trace had it. */
  readonly line: number;
  /** The frame that called Judge.Allocate. */
  readonly frame: ResolvedFrame;
}

const folder = await scratchFolder();
let portable: { dll: string; recorded: Recorded };
let embedded: { dll: string; recorded: Recorded };
let precompiled: { dll: string; recorded: Recorded };

beforeAll(async () => {
  const made = async (name: string, verb: 'build' | 'publish', ...options: string[]) => {
    const dll = await buildShapes(join(folder, name), verb, ...options);
    return { dll, recorded: await recordByRuntime(join(folder, `${name}.nettrace`), 'dotnet', dll) };
  };
  portable = await made('portable', 'build');
  embedded = await made('embedded', 'build', '-p:DebugType=embedded', '-p:EmbedAllSources=true');
  const native = ['-r', 'linux-x64', '--self-contained', 'false', '-p:PublishReadyToRun=true'];
  precompiled = await made('precompiled', 'publish', ...native);
});

/** Sizes tell the allocations apart: the program printed what each of them should be. */
function allocations({ output, capture, code }: Recorded, bundle: SymbolBundle): Allocation[] {
  const resolver = createResolver(code, bundle);
  const { stacks } = capture;
  const events = capture.allocations;
  return output
    .filter((cells) => cells[0] === 'allocated')
    .map(([, length, name, , line]) => {
      const event = events.objectSize.findIndex((size) => size > Number(length) && size < Number(length) + 64);
      if (event < 0) throw new Error(`no event for ${name}`);
      const judge = events.stack[event];
      const caller = stacks.prefix[judge];
      const frameAt = (row: number) => resolver.resolve(stacks.address[row], events.time[event], row === judge)[0];
      expect(frameAt(judge).functionName).toBe('Shapes.Judge.Allocate');
      return { name, line: Number(line), frame: frameAt(caller) };
    });
}

const shown = ({ frame }: Allocation) => `${frame.functionName} ${frame.line}`;
const expected = ({ name, line }: Allocation) => `${name} ${line}`;

describe('code that was compiled while the program ran', () => {
  test('has the names and lines that the program and its runtime state', async () => {
    const bundle = await collectSymbols([portable.recorded.code], fileImages());
    const found = allocations(portable.recorded, parseSymbolBundle(JSON.stringify(bundle), 'test'));
    expect(found.length).toBeGreaterThan(18);
    expect(found.map(shown)).toEqual(found.map(expected));
    for (const { frame } of found) {
      expect(frame).toMatchObject({ moduleName: 'shapes', modulePath: portable.dll, system: false, resolved: true });
      expect(frame.file.endsWith('/Program.cs')).toBe(true);
      expect(frame.firstLine).toBeLessThanOrEqual(frame.line);
      expect(frame.lastLine).toBeGreaterThanOrEqual(frame.line);
    }
    expect(found.filter(({ frame }) => frame.near)).toEqual([]);
  });

  test('resolves every frame, the framework as system code', async () => {
    const { capture, code } = portable.recorded;
    const resolver = createResolver(code, await collectSymbols([code], fileImages()));
    const frames = Array.from(code.used.address, (address, i) =>
      resolver.resolve(address, code.used.time[i], false),
    ).flat();
    expect(frames.filter((frame) => !frame.resolved)).toEqual([]);
    const systemModules = new Set(frames.filter((frame) => frame.system).map((frame) => frame.moduleName));
    expect(systemModules).toContain('System.Private.CoreLib');
    expect(systemModules).not.toContain('shapes');
    expect(capture.stacks.prefix).toContain(NONE);
  });

  test('finds the PDB inside the image, and sources inside the PDB', async () => {
    const images: ImageSource = (path, pid) => (path.endsWith('.cs') ? undefined : fileImages()(path, pid));
    const bundle = await collectSymbols([embedded.recorded.code], images, { withSource: true });
    const found = allocations(embedded.recorded, bundle);
    expect(found.map(shown)).toEqual(found.map(expected));
    expect(bundle.modules.find((module) => module.name === 'shapes')?.pdb).toBe(embedded.dll);
    const source = bundle.files.find((file) => file.path.endsWith('Program.cs'));
    expect(source?.text).toBe(readFileSync(source!.path, 'utf8'));
  });
});

test('precompiled code of the user has lines from the image, marked as near', async () => {
  const { code } = precompiled.recorded;
  const bundle = await collectSymbols([code], fileImages());
  const found = allocations(precompiled.recorded, bundle);
  const entry = bundle.modules.find((module) => module.name === 'shapes');
  expect(entry?.code.length).toBeGreaterThan(10);
  const exact = found.filter((one) => shown(one) === expected(one));
  expect(exact.length / found.length).toBeGreaterThan(0.85);
  // What is left was inlined into, or left by a tail call to, a method next to it.
  for (const { frame } of found) expect(frame).toMatchObject({ moduleName: 'shapes', near: true });
});

describe('a PDB that does not help', () => {
  /** The portable build's files in a folder of their own, where the recorded paths lead to. */
  function moved(name: string, change: (folder: string) => void): ImageSource {
    const copy = join(folder, name);
    mkdirSync(copy);
    for (const file of ['shapes.dll', 'shapes.pdb']) copyFileSync(join(dirname(portable.dll), file), join(copy, file));
    change(copy);
    const files = fileImages();
    return (path, pid) => {
      if (path.startsWith(dirname(portable.dll))) return files(join(copy, path.slice(path.lastIndexOf('/') + 1)), pid);
      return path.endsWith('.pdb') ? undefined : files(path, pid);
    };
  }
  const shapes = (bundle: SymbolBundle) => bundle.modules.find((module) => module.name === 'shapes')!;

  test('that is missing leaves the names, and is said with the places', async () => {
    const bundle = await collectSymbols(
      [portable.recorded.code],
      moved('missing', (copy) => rmSync(join(copy, 'shapes.pdb'))),
    );
    const found = allocations(portable.recorded, bundle);
    expect(found.map(({ frame }) => frame.functionName)).toEqual(found.map(({ name }) => name));
    expect(found.every(({ frame }) => frame.line === 0 && frame.file === '')).toBe(true);
    expect(shapes(bundle).tried).toContain(`${join(dirname(portable.dll), 'shapes.pdb')} (not there)`);
  });

  test('of another build is refused', async () => {
    const bundle = await collectSymbols(
      [portable.recorded.code],
      moved('stale', (copy) => {
        const path = join(copy, 'shapes.pdb');
        const bytes = readFileSync(path);
        const guid = idInPdb(bytes);
        bytes[guid] ^= 1;
        writeFileSync(path, bytes);
      }),
    );
    expect(shapes(bundle)).toMatchObject({ pdb: '', methods: [] });
    expect(shapes(bundle).tried.join()).toContain('another build');
  });

  test('that is damaged or unreadable is noted', async () => {
    const bundle = await collectSymbols(
      [portable.recorded.code],
      moved('damaged', (copy) => {
        const path = join(copy, 'shapes.pdb');
        writeFileSync(path, readFileSync(path).subarray(0, 300));
        chmodSync(path, 0o644);
      }),
    );
    expect(shapes(bundle).pdb).toBe('');
    expect(shapes(bundle).tried[0]).toContain('damaged');
  });
});

test('an image that was built again since is not used', async () => {
  const files = fileImages();
  const bundle = await collectSymbols([portable.recorded.code], (path, pid) =>
    files(path === portable.dll ? embedded.dll : path, pid),
  );
  const entry = bundle.modules.find((module) => module.path === portable.dll);
  expect(entry?.problem).toContain('built again');
  const found = allocations(portable.recorded, bundle);
  expect(found.map(({ frame }) => frame.functionName)).toEqual(found.map(({ name }) => name));
});

test('without any file the names of compiled methods are there still', async () => {
  const bundle = await collectSymbols([portable.recorded.code], () => undefined);
  const found = allocations(portable.recorded, bundle);
  expect(found.map(({ frame }) => frame.functionName)).toEqual(found.map(({ name }) => name));
});

/** Offset of the id: the first bytes of the stream "#Pdb". */
function idInPdb(bytes: Buffer): number {
  const name = bytes.indexOf('#Pdb\0');
  return bytes.readUInt32LE(name - 8);
}
