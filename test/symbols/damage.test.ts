import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { emptyBundle, parseSymbolBundle } from '../../src/symbols/bundle.ts';
import type { ImageFile } from '../../src/symbols/images.ts';
import { readMetadata } from '../../src/symbols/metadata.ts';
import { openModule } from '../../src/symbols/modules.ts';
import { readPdb, unpackEmbeddedPdb } from '../../src/symbols/pdb.ts';
import { readPe } from '../../src/symbols/pe.ts';
import { TraceError } from '../../src/trace/errors.ts';
import { scratchFolder } from '../support/memsurge.ts';
import { buildShapes } from './programs.ts';

const folder = await scratchFolder();
let image: Uint8Array;
let pdb: Uint8Array;

beforeAll(async () => {
  const native = ['-r', 'linux-x64', '--self-contained', 'false', '-p:PublishReadyToRun=true'];
  const dll = await buildShapes(join(folder, 'shapes'), 'publish', ...native);
  image = readFileSync(dll);
  pdb = readFileSync(dll.replace('.dll', '.pdb'));
});

const fileOf = (bytes: Uint8Array): ImageFile => ({
  size: bytes.length,
  read: (offset, length) => bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length)),
  close: () => {},
});

/** Reads all that can be read; only TraceError may come out of any of it. */
function readAll(dll: Uint8Array, symbols: Uint8Array): number {
  let rows = 0;
  const attempt = (read: () => unknown) => {
    try {
      if (read() !== undefined) rows++;
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      expect(error.message).not.toContain('\n');
    }
  };
  const sources = (path: string) => fileOf(path.endsWith('.pdb') ? symbols : dll);
  const expected = { path: '/app/shapes.dll', pid: 1, pdbGuid: '', pdbPath: '' };
  const module = openModule(expected, sources, () => undefined);
  for (let row = 0; row < 80; row++) {
    attempt(() => module.metadata?.method(row));
    attempt(() => module.metadata?.typeByCodedIndex(row));
    attempt(() => {
      const [code] = module.readyToRun?.codeOf(row) ?? [];
      return code && module.readyToRun?.find(code.rva + (code.size >> 1))?.ilMap();
    });
    attempt(() => module.pdb.pdb?.sequencePoints(row));
  }
  for (let document = 1; document < 6; document++) {
    attempt(() => module.pdb.pdb?.documentPath(document));
    attempt(() => module.pdb.pdb?.embeddedSource(document));
    attempt(() => module.pdb.pdb?.checksum(document));
  }
  for (let rva = 0; rva < 0x20000; rva += 509) {
    attempt(() => module.readyToRun?.find(rva)?.ilMap());
  }
  return rows;
}

/** Byte positions are weighted to the start, where the headers are. */
const mutations = fc.array(
  fc.tuple(fc.oneof(fc.nat(2048), fc.nat(200_000)), fc.oneof(fc.constantFrom(0, 1, 127, 128, 255), fc.nat(255))),
  { minLength: 1, maxLength: 12 },
);
const mutate = (bytes: Uint8Array, changes: readonly (readonly [number, number])[]): Uint8Array => {
  const copy = bytes.slice();
  for (const [at, value] of changes) copy[at % copy.length] = value;
  return copy;
};

describe('damaged files', () => {
  test('undamaged, everything is there', () => {
    expect(readAll(image, pdb)).toBeGreaterThan(140);
  });

  test('an image with changed bytes ends in TraceError or in fewer names', () => {
    fc.assert(
      fc.property(mutations, (changes) => void readAll(mutate(image, changes), pdb)),
      { numRuns: 2000 },
    );
  });

  test('a PDB with changed bytes likewise', () => {
    fc.assert(
      fc.property(mutations, (changes) => void readAll(image, mutate(pdb, changes))),
      { numRuns: 2000 },
    );
  });

  test('files cut off anywhere likewise', () => {
    fc.assert(
      fc.property(
        fc.nat(image.length),
        fc.nat(pdb.length),
        (a, b) => void readAll(image.subarray(0, a), pdb.subarray(0, b)),
      ),
      { numRuns: 1000 },
    );
  });

  test('noise is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(() => readPe(fileOf(bytes), 'x')).toThrow(TraceError);
        expect(() => readMetadata(bytes, 'x')).toThrow(TraceError);
        expect(() => readPdb(bytes, 'x')).toThrow(TraceError);
        expect(() => unpackEmbeddedPdb(bytes, 'x')).toThrow(TraceError);
      }),
      { numRuns: 300 },
    );
  });
});

describe('symbols.json', () => {
  const file = { path: '/src/A.cs' };
  const method = {
    token: 1,
    firstLine: 1,
    lastLine: 2,
    il: [0, 4],
    line: [1, 2],
    file: [0, 0],
    calls: [1],
    allocations: [],
  };
  const module = { path: '/a.dll', name: 'a', system: false, problem: '', pdb: '', tried: [], names: [], code: [] };
  const whole = { ...emptyBundle(), files: [file], modules: [{ ...module, methods: [method] }] };

  test('comes back as it was', () => {
    expect(parseSymbolBundle(JSON.stringify(whole), 't')).toEqual(whole);
  });

  test.each([
    ['', 'damaged'],
    ['null', 'damaged'],
    ['{"version":2}', 'damaged'],
    [JSON.stringify(whole).slice(0, -9), 'damaged'],
    [JSON.stringify({ ...whole, files: [] }), 'lines of /a.dll'],
    [JSON.stringify({ ...whole, modules: [{ ...module, methods: [{ ...method, line: [1] }] }] }), 'lines of /a.dll'],
    [JSON.stringify({ ...whole, modules: 3 }), 'modules'],
  ])('damage %# is refused in one line', (text, reason) => {
    expect(() => parseSymbolBundle(text, 't.memsurge')).toThrow(TraceError);
    expect(() => parseSymbolBundle(text, 't.memsurge')).toThrow(reason);
  });
});
