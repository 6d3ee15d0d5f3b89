import { messageOf, TraceError } from '../trace/errors.ts';
import type { ImageFile, ImageSource } from './images.ts';
import { type Metadata, readMetadata } from './metadata.ts';
import { type Pdb, readPdb, unpackEmbeddedPdb } from './pdb.ts';
import { type PeImage, readPe } from './pe.ts';
import { type ReadyToRun, readReadyToRun } from './r2r.ts';
import { isSystemModule, moduleName } from './user-code.ts';

/** What the process told about a module; the file on disk must be the same build. */
export interface ExpectedModule {
  readonly path: string;
  /** A process that has it loaded: its view of the file system counts. */
  readonly pid: number;
  /** As in LoadedModule; empty when not known. */
  readonly pdbGuid: string;
  readonly pdbPath: string;
}

/** An opened module. What could not be read is undefined, and `problem` says why. */
export interface Module {
  readonly path: string;
  readonly name: string;
  readonly pid: number;
  readonly system: boolean;
  readonly problem: string;
  readonly image: PeImage | undefined;
  readonly metadata: Metadata | undefined;
  readonly readyToRun: ReadyToRun | undefined;
  readonly pdb: PdbLookup;
  /** The image can be read until then. */
  close(): void;
}

/** The PDB of a module, and where it was looked for. */
interface PdbLookup {
  readonly pdb: Pdb | undefined;
  /** Where it was found; empty when it was not. */
  readonly path: string;
  /** Every place that was tried in vain, with the reason. */
  readonly tried: readonly string[];
}

const MAX_PDB_BYTES = 512 * 1024 * 1024;

/**
 * Opens the module's image and its PDB; `close` it. Nothing that is missing or damaged throws.
 * @param findByName the metadata of another assembly by simple name, for signatures that mention its types
 */
export function openModule(
  expected: ExpectedModule,
  images: ImageSource,
  findByName: (name: string) => Metadata | undefined,
): Module {
  const problems: string[] = [];
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      problems.push(messageOf(error));
      return undefined;
    }
  };
  const { path, pid } = expected;
  const file = images(path, pid);
  if (file === undefined) problems.push(`${path} is not there or not readable`);
  const image = file && attempt(() => readExpectedImage(file, expected));
  const metadata = image && attempt(() => readImageMetadata(image));
  // The native tables of a large image take 100 ms, and many questions do without them.
  let readyToRun: { readonly is: ReadyToRun | undefined } | undefined;
  const name = metadata?.assemblyName || moduleName(path);
  return {
    path,
    pid,
    name,
    system: isSystemModule({ path, name, publicKeyToken: metadata?.publicKeyToken ?? '' }),
    get problem() {
      return problems.join('; ');
    },
    image,
    metadata,
    get readyToRun() {
      readyToRun ??= {
        is: image && metadata && attempt(() => readReadyToRun(image, { typeName: typeNames(metadata, findByName) })),
      };
      return readyToRun.is;
    },
    pdb: findPdb(expected, image, file, images),
    close: () => file?.close(),
  };
}

function readExpectedImage(file: ImageFile, expected: ExpectedModule): PeImage {
  const image = readPe(file, expected.path);
  const { codeView } = image;
  if (expected.pdbGuid !== '' && codeView !== undefined && codeView.guid !== expected.pdbGuid.toLowerCase()) {
    throw new TraceError(`${expected.path} was built again since the process loaded it`);
  }
  return image;
}

function readImageMetadata(image: PeImage): Metadata {
  if (image.metadata === undefined) throw new TraceError(`${image.path} is not a managed image`);
  return readMetadata(image.read(image.metadata.rva, image.metadata.size), image.path);
}

/**
 * Type names for ReadyToRun signatures. A module override counts the image's assembly references from 1
 * (dotnet/runtime, docs/design/coreclr/botr/readytorun-format.md).
 */
function typeNames(metadata: Metadata, findByName: (name: string) => Metadata | undefined) {
  return (module: number, coded: number): string => {
    if (module === 0) return metadata.typeByCodedIndex(coded);
    const reference = metadata.assemblyRef(module);
    const other = reference === undefined ? undefined : findByName(reference);
    return other === undefined ? '?' : other.typeByCodedIndex(coded);
  };
}

function findPdb(
  expected: ExpectedModule,
  image: PeImage | undefined,
  file: ImageFile | undefined,
  images: ImageSource,
): PdbLookup {
  const guid = image?.codeView?.guid ?? expected.pdbGuid.toLowerCase();
  const tried: string[] = [];
  for (const place of pdbPlaces(expected, image, file, images)) {
    try {
      const bytes = place.read();
      if (bytes === undefined) {
        tried.push(`${place.path} (not there)`);
        continue;
      }
      const pdb = readPdb(bytes, place.path);
      if (guid === '' || pdb.guid === guid) return { pdb, path: place.path, tried };
      tried.push(`${place.path} (belongs to another build)`);
    } catch (error) {
      if (!(error instanceof TraceError)) throw error;
      tried.push(`${place.path} (${messageOf(error)})`);
    }
  }
  return { pdb: undefined, path: '', tried };
}

interface PdbPlace {
  readonly path: string;
  read(): Uint8Array | undefined;
}

/** In the image, beside the image, and where the compiler wrote it. */
function pdbPlaces(
  expected: ExpectedModule,
  image: PeImage | undefined,
  file: ImageFile | undefined,
  images: ImageSource,
): PdbPlace[] {
  const { path, pid } = expected;
  const places: PdbPlace[] = [];
  const embedded = image?.embeddedPdb;
  if (embedded !== undefined && file !== undefined) {
    places.push({ path, read: () => unpackEmbeddedPdb(file.read(embedded.offset, embedded.size), path) });
  }
  const built = image?.codeView?.path || expected.pdbPath;
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const builtName = built.slice(Math.max(built.lastIndexOf('/'), built.lastIndexOf('\\')) + 1);
  const files = [builtName && folder + builtName, path.replace(/(\.(dll|exe))?$/i, '.pdb'), built];
  for (const candidate of new Set(files.filter((one) => one.startsWith('/')))) {
    places.push({ path: candidate, read: () => readWhole(images, candidate, pid) });
  }
  return places;
}

function readWhole(images: ImageSource, path: string, pid: number): Uint8Array | undefined {
  const file = images(path, pid);
  if (file === undefined) return undefined;
  try {
    if (file.size > MAX_PDB_BYTES) throw new TraceError(`${path} is too large for a PDB`);
    return file.read(0, file.size);
  } finally {
    file.close();
  }
}
