import { close, createReadStream, createWriteStream } from 'node:fs';
import { link, lstat, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import yauzl from 'yauzl';
import yazl from 'yazl';
import { messageOf, reasonOf, TraceError } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { parseManifest } from './manifest-schema.ts';
import { MANIFEST_PART, mostBytes, NATIVE_FOLDER, numbered, partialOf } from './part-names.ts';
import { NEW_PRIVATE_FILE } from './private-file.ts';
import { openRegular } from './regular-file.ts';
import { openSmallParts, planSmallParts, SMALL_PARTS_INDEX, smallPartBundles } from './small-parts.ts';

/** Parts of one trace: ten thousand processes have six each. */
const MAX_PARTS = 300_000;
/** A part of this size that is packed better than so was not written by a recorder, and would unpack for ever. */
const MUCH_BYTES = 64 * 2 ** 20;
const MAX_RATIO = 400;

/** A trace on disk, zip or folder: the manifest and a way to read each part. */
export interface TraceFile {
  readonly path: string;
  readonly manifest: Manifest;
  /** Names of all parts, "/" as separator. */
  readonly parts: ReadonlySet<string>;
  /** Size in bytes of a part, uncompressed. */
  size(part: string): number;
  /** The beginning of a part, as much as `mostBytes` allows. @throws TraceError when the part cannot be read. */
  read(part: string): Promise<string>;
  /** As `read`. @throws TraceError when the part cannot be read. */
  bytes(part: string): Promise<Uint8Array>;
  /** Path of the part as a file of its own; undefined inside a zip. */
  pathOf(part: string): string | undefined;
  /** The part's bytes from the start, in chunks. @throws TraceError when they cannot be read. */
  stream(part: string): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Opens a `.memsurge` file, or the folder of a recording that was not finished.
 * @throws TraceError when it is neither, is damaged, or was written by a newer memsurge.
 */
export async function openTraceFile(path: string): Promise<TraceFile> {
  const entry = await stat(path);
  return entry.isDirectory() ? openFolder(path) : openZip(path);
}

/** Where the parts lie. */
interface Container {
  /** Sizes by name. */
  readonly sizes: ReadonlyMap<string, number>;
  open(part: string): Promise<AsyncIterable<unknown>>;
  pathOf(part: string): string | undefined;
  close(): Promise<void>;
}

async function openFolder(folder: string): Promise<TraceFile> {
  // Before its parts are looked for: any folder can be named by mistake, "/" too.
  try {
    close(openRegular(join(folder, MANIFEST_PART)).descriptor);
  } catch (error) {
    throw new TraceError(`${folder} has no readable ${MANIFEST_PART} (${messageOf(error)}): not a memsurge recording`);
  }
  const sizes = await folderParts(folder);
  const file = await traceFile(folder, {
    sizes,
    open: async (part) => {
      const { descriptor, size } = openRegular(join(folder, part));
      if (size > 0) return createReadStream('', { fd: descriptor, end: size - 1, highWaterMark: 1 << 18 });
      close(descriptor);
      return empty();
    },
    pathOf: (part) => join(folder, part),
    close: async () => {},
  });
  if (file.manifest.state === 'recording') nameStreams(file);
  return file;
}

/** A recorder that was killed, or whose disk became full, may have begun streams that its manifest does not name yet. */
function nameStreams({ manifest, parts }: TraceFile): void {
  const streams = new Map(manifest.processes.map((process) => [process.id, process.streams]));
  for (const part of parts) {
    const known = streams.get(/^streams\/(\d+(?:-\d+)?)(?:-[a-z]+)?\.nettrace$/.exec(part)?.[1] ?? '');
    if (known !== undefined && !known.includes(part)) known.push(part);
  }
}

async function* empty(): AsyncGenerator<Uint8Array> {}
async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** What comes first of `chunks`, `most` bytes of it. */
async function collect(chunks: AsyncIterable<Uint8Array>, most: number): Promise<Buffer> {
  const kept: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    kept.push(chunk);
    length += chunk.length;
    if (length >= most) break;
  }
  return Buffer.concat(kept, Math.min(length, most));
}

async function openZip(path: string): Promise<TraceFile> {
  const zip = await openArchive(path).catch((error) => {
    throw new TraceError(`${path} is not a memsurge trace (${messageOf(error)})`);
  });
  try {
    const entries = await entriesOf(zip).catch((error) => {
      throw new TraceError(`${path} is damaged (${messageOf(error)})`);
    });
    if (!entries.has(MANIFEST_PART)) throw new TraceError(`${path} is a zip file, but not a memsurge trace`);
    const openEntry = async (name: string) => {
      const entry = entries.get(name);
      if (entry === undefined) throw new Error('it is not there');
      const { compressedSize: packed, uncompressedSize: size } = entry;
      if (size > MUCH_BYTES && size > packed * MAX_RATIO)
        throw new Error(`${packed} bytes would unpack to ${size}, which no recording does`);
      return checked(await zip.openReadStreamPromise(entry), entry.crc32);
    };
    const readEntry = async (name: string) => collect(await openEntry(name), mostBytes(name));
    const sizes = new Map(Array.from(entries, ([name, entry]) => [name, entry.uncompressedSize]));
    const small = entries.has(SMALL_PARTS_INDEX)
      ? openSmallParts((await readEntry(SMALL_PARTS_INDEX)).toString('utf8'), path, readEntry)
      : undefined;
    for (const name of small?.names ?? []) sizes.set(name, small!.size(name)!);
    return await traceFile(path, {
      sizes,
      open: async (part) => {
        const bytes = await small?.bytes(part);
        return bytes === undefined ? openEntry(part) : only(bytes);
      },
      pathOf: () => undefined,
      close: async () => zip.close(),
    });
  } catch (error) {
    zip.close();
    throw error;
  }
}

async function openArchive(path: string): Promise<yauzl.ZipFile> {
  const { descriptor } = openRegular(path);
  return yauzl.fromFdPromise(descriptor, { autoClose: false, lazyEntries: true }).catch((error) => {
    close(descriptor);
    throw error;
  });
}

/** The parts by name. @throws Error when they are more than a trace has, or not each a place of its own. */
async function entriesOf(zip: yauzl.ZipFile): Promise<Map<string, yauzl.Entry>> {
  if (zip.entryCount > MAX_PARTS) throw new Error(`it holds ${zip.entryCount} parts`);
  const entries = new Map<string, yauzl.Entry>();
  let packed = 0;
  for await (const entry of zip.eachEntry()) {
    if (entries.has(entry.fileName)) throw new Error(`it holds two parts ${entry.fileName}`);
    entries.set(entry.fileName, entry);
    packed += entry.compressedSize;
  }
  if (packed > zip.fileSize) throw new Error('its parts overlap');
  return entries;
}

/** Passes chunks on; at the end they have to be what was packed. */
async function* checked(chunks: AsyncIterable<unknown>, expected: number): AsyncGenerator<Uint8Array> {
  let sum = 0;
  for await (const chunk of chunks) {
    sum = crc32(chunk as Buffer, sum);
    yield chunk as Buffer;
  }
  if (sum !== expected) throw new Error('its checksum is another');
}

async function traceFile(path: string, { sizes, open, pathOf, close }: Container): Promise<TraceFile> {
  async function* stream(part: string): AsyncGenerator<Uint8Array> {
    // A name that a manifest makes up leads nowhere, least of all out of the folder.
    if (!sizes.has(part)) throw new TraceError(`${path} has no part ${part}; the trace is damaged`);
    try {
      for await (const chunk of await open(part)) yield chunk as Buffer;
    } catch (error) {
      if (error instanceof TraceError) throw error;
      throw new TraceError(`${path}: cannot read its part ${part} (${messageOf(error)}); the trace is damaged`);
    }
  }
  const bytes = (part: string): Promise<Buffer> => collect(stream(part), mostBytes(part));
  const read = async (part: string) => (await bytes(part)).toString('utf8');
  return {
    path,
    manifest: parseManifest(await read(MANIFEST_PART), path),
    parts: new Set(sizes.keys()),
    size: (part) => sizes.get(part) ?? 0,
    read,
    bytes,
    pathOf: (part) => (isPlain(part) ? pathOf(part) : undefined),
    stream,
    close,
  };
}

/** A name that leads to a place within the folder. */
const isPlain = (part: string) => !part.startsWith('/') && !part.split('/').includes('..');

/**
 * 1 (fast) to 9 (small). Agents' files of exact recordings are the bulk of a trace (90 MB of a build), and take a third of
 * the time to become 6 % larger.
 */
function compressionOf(part: string): number {
  return part.startsWith(`${NATIVE_FOLDER}/`) ? FAST : 6;
}

const FAST = 3;

/** Sizes of the files below `folder`, by part name. */
async function folderParts(folder: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    // A recording that goes on takes files away meanwhile: a manifest that was being written has its own name now.
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) sizes.set(relative(folder, path).split(sep).join('/'), found.size);
  }
  return sizes;
}

/**
 * Packs a recording's folder into the zip `output` and removes the folder. The output appears whole or not at all; when
 * anything fails the folder stays as it was.
 * @param replace whether what has that name is replaced; else the trace gets a number behind its name
 * @returns the path of the trace
 * @throws TraceError when the file cannot be written.
 */
export async function packFolder(folder: string, output: string, replace = false): Promise<string> {
  const partial = partialOf(folder);
  let written = output;
  try {
    const zip = new yazl.ZipFile();
    // The manifest first and as it is: the file's first bytes say what it is.
    zip.addFile(join(folder, MANIFEST_PART), MANIFEST_PART, { compress: false });
    const sizes = await folderParts(folder);
    const index = planSmallParts(sizes, parseManifest(await readFile(join(folder, MANIFEST_PART), 'utf8'), folder));
    if (index.length > 0) zip.addBuffer(Buffer.from(JSON.stringify(index)), SMALL_PARTS_INDEX);
    for (const { name, read } of smallPartBundles(folder, index)) {
      zip.addReadStreamLazy(name, { compressionLevel: FAST }, (give) => give(null, read()));
    }
    const bundled = new Set(index.flat().map(([name]) => name));
    for (const part of sizes.keys()) {
      if (part === MANIFEST_PART || bundled.has(part)) continue;
      zip.addFile(join(folder, part), part, { compressionLevel: compressionOf(part) });
    }
    zip.end();
    // What an earlier end left, or a link that somebody laid: to be replaced, not followed.
    await rm(partial, { force: true });
    await pipeline(zip.outputStream, createWriteStream(partial, NEW_PRIVATE_FILE));
    if (replace) await rename(partial, output);
    else written = await giveName(partial, output);
  } catch (error) {
    await rm(partial, { force: true });
    throw new TraceError(
      `cannot write ${output} (${reasonOf(error)}); nothing is lost: the recording is in ${folder}, which opens like a trace file`,
    );
  }
  await rm(folder, { recursive: true, force: true });
  return written;
}

/** Gives `file` the name `wanted`, or the first numbered one that nothing has; returns it. */
async function giveName(file: string, wanted: string): Promise<string> {
  for (let n = 1; ; n++) {
    const name = numbered(wanted, n);
    try {
      await link(file, name);
      await rm(file);
      return name;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') continue;
      if (!NO_LINKS.includes(code ?? '')) throw error;
      if (await lstat(name).catch(() => undefined)) continue;
      await rename(file, name);
      return name;
    }
  }
}

/** What file systems without hard links answer (FAT, some in user space). */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];
