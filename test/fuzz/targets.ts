import { readAgentFile } from '../../src/read/agent/file.ts';
import { readLooks } from '../../src/read/agent/looks.ts';
import { parseResidency } from '../../src/read/agent/resident.ts';
import { createNettraceReader } from '../../src/read/nettrace/index.ts';
import { parseImages, parseRss, parseThreadNames } from '../../src/read/procfs/parts.ts';
import { parseSymbolBundle } from '../../src/symbols/bundle.ts';
import type { ImageFile } from '../../src/symbols/images.ts';
import { openModule } from '../../src/symbols/modules.ts';
import { readElf } from '../../src/symbols/native/elf.ts';
import { openNativeSymbols } from '../../src/symbols/native/index.ts';
import { TraceError } from '../../src/trace/errors.ts';
import { parseManifest } from '../../src/trace/manifest-schema.ts';

/** One reader of bytes that somebody else wrote. */
export interface Target {
  readonly name: string;
  /** A whole input: it is damaged, the reader survives it. */
  readonly seed: Uint8Array;
  /** Reads all that there is. Throws nothing but TraceError. */
  read(bytes: Uint8Array): void;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');

export const nettrace = (name: string, seed: Uint8Array): Target => ({
  name,
  seed,
  read(bytes) {
    const reader = createNettraceReader({ size: bytes.length });
    for (let at = 0; at < bytes.length; at += 50_000) reader.push(bytes.subarray(at, at + 50_000));
    reader.end();
  },
});

export const parts = (seeds: {
  readonly agent: Uint8Array;
  readonly looks: Uint8Array;
  readonly resident: string;
  readonly manifest: string;
  readonly symbols: string;
}): Target[] => [
  { name: 'agent', seed: seeds.agent, read: (bytes) => void readAgentFile(bytes) },
  { name: 'looks', seed: seeds.looks, read: (bytes) => void readLooks(bytes) },
  { name: 'resident', seed: Buffer.from(seeds.resident), read: (bytes) => void parseResidency(text(bytes)) },
  { name: 'manifest', seed: Buffer.from(seeds.manifest), read: (bytes) => void parseManifest(text(bytes), 'x') },
  { name: 'symbols', seed: Buffer.from(seeds.symbols), read: (bytes) => void parseSymbolBundle(text(bytes), 'x') },
  {
    name: 'csv',
    seed: Buffer.from('1000,4096\n2000,8192\n1000,7f0000000000,7f0000100000,/lib/a.so\n77,main\n'.repeat(20)),
    read(bytes) {
      parseRss(text(bytes));
      parseImages(text(bytes));
      parseThreadNames(text(bytes));
    },
  },
];

const fileOf = (bytes: Uint8Array): ImageFile => ({
  size: bytes.length,
  read(offset, length) {
    // No reader asks for more than a file can hold, whatever the file says.
    if (length > 2 ** 30) throw new Error(`a read of ${length} bytes`);
    const end = Math.max(0, Math.min(offset + length, bytes.length));
    return bytes.subarray(Math.max(0, Math.min(offset, bytes.length)), end);
  },
  close: () => {},
});

const attempt = (read: () => unknown): void => {
  try {
    read();
  } catch (error) {
    if (!(error instanceof TraceError)) throw error;
  }
};

/** A managed image with its PDB beside it; one of the two is damaged. */
export function managed(image: Uint8Array, pdb: Uint8Array): Target[] {
  const readBoth = (dll: Uint8Array, symbols: Uint8Array) => {
    const sources = (path: string) => fileOf(path.endsWith('.pdb') ? symbols : dll);
    const module = openModule({ path: '/a/x.dll', pid: 1, pdbGuid: '', pdbPath: '' }, sources, () => undefined);
    for (let row = 0; row < 40; row++) {
      attempt(() => module.metadata?.method(row));
      attempt(() => module.metadata?.typeByCodedIndex(row));
      attempt(() => module.readyToRun?.codeOf(row));
      attempt(() => module.pdb.pdb?.sequencePoints(row));
    }
    for (let document = 1; document < 4; document++) {
      attempt(() => module.pdb.pdb?.documentPath(document));
      attempt(() => module.pdb.pdb?.embeddedSource(document));
      attempt(() => module.pdb.pdb?.checksum(document));
    }
    for (let rva = 0; rva < 0x20000; rva += 1021) attempt(() => module.readyToRun?.find(rva)?.ilMap());
  };
  return [
    { name: 'PE', seed: image, read: (bytes) => readBoth(bytes, pdb) },
    { name: 'PDB', seed: pdb, read: (bytes) => readBoth(image, bytes) },
  ];
}

/** An ELF image with its DWARF. */
export function elf(name: string, image: Uint8Array): Target {
  const { address, size } = readElf(fileOf(image), '/app/program').section('.text')!;
  return {
    name,
    seed: image,
    read(bytes) {
      const symbols = openNativeSymbols('/app/program', '', (path) =>
        path === '/app/program' ? fileOf(bytes) : undefined,
      );
      for (let i = 0; i < 40; i++) symbols.frames(address + Math.floor((i * size) / 40));
      if (symbols.notes.length > 2000) throw new Error(`${symbols.notes.length} notes`);
      symbols.close();
    },
  };
}
