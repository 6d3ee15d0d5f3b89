import { createReadStream, createWriteStream } from 'node:fs';
import { link, lstat, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import yauzl from 'yauzl';
import yazl from 'yazl';
import { messageOf, TraceError } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { parseManifest, readManifest } from './manifest-schema.ts';
import { MANIFEST_PART, NATIVE_FOLDER, numbered, partialOf } from './part-names.ts';
import { NEW_PRIVATE_FILE } from './private-file.ts';
import { openSmallParts, planSmallParts, SMALL_PARTS_INDEX, smallPartBundles } from './small-parts.ts';

/** Parts that are read whole; a larger one is not a part that memsurge wrote. */
const MAX_PART_BYTES = 1024 ** 3;

/** A trace on disk, zip or folder: the manifest and a way to read each part. */
export interface TraceFile {
  readonly path: string;
  readonly manifest: Manifest;
  /** Names of all parts, "/" as separator. */
  readonly parts: ReadonlySet<string>;
  /** Size in bytes of a part, uncompressed. */
  size(part: string): number;
  /** @throws TraceError when the part cannot be read. */
  read(part: string): Promise<string>;
  /** @throws TraceError when the part cannot be read. */
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

async function openFolder(folder: string): Promise<TraceFile> {
  const manifest = await readManifest(folder);
  const sizes = await folderParts(folder);
  return {
    path: folder,
    manifest,
    parts: new Set(sizes.keys()),
    size: (part) => sizes.get(part) ?? 0,
    read: (part) => readFile(join(folder, part), 'utf8').catch((error) => damaged(folder, part, error)),
    bytes: (part) => readFile(join(folder, part)).catch((error) => damaged(folder, part, error)),
    pathOf: (part) => join(folder, part),
    stream: (part) => guarded(folder, part, createReadStream(join(folder, part), { highWaterMark: 1 << 18 })),
    close: async () => {},
  };
}

async function openZip(path: string): Promise<TraceFile> {
  const zip = await yauzl.openPromise(path, { autoClose: false, lazyEntries: true }).catch((error) => {
    throw new TraceError(`${path} is not a memsurge trace (${messageOf(error)})`);
  });
  const entries = new Map<string, yauzl.Entry>();
  try {
    for await (const entry of zip.eachEntry()) entries.set(entry.fileName, entry);
  } catch (error) {
    zip.close();
    throw new TraceError(`${path} is damaged (${messageOf(error)})`);
  }
  const open = async (part: string) => {
    const entry = entries.get(part);
    if (entry === undefined) throw new TraceError(`${path} has no part ${part}; the trace is damaged`);
    return zip.openReadStreamPromise(entry);
  };
  const read = async (part: string): Promise<Buffer> => {
    if ((entries.get(part)?.uncompressedSize ?? 0) > MAX_PART_BYTES) damaged(path, part, 'it is too large');
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of await open(part).catch((error) => damaged(path, part, error))) {
      chunks.push(chunk as Buffer);
      bytes += (chunk as Buffer).length;
      if (bytes > MAX_PART_BYTES) damaged(path, part, 'it is too large');
    }
    return Buffer.concat(chunks);
  };
  try {
    if (!entries.has(MANIFEST_PART)) throw new TraceError(`${path} is a zip file, but not a memsurge trace`);
    const entryOf = (part: string) => read(part).catch((error) => damaged(path, part, error));
    const small = entries.has(SMALL_PARTS_INDEX)
      ? openSmallParts((await entryOf(SMALL_PARTS_INDEX)).toString('utf8'), path, entryOf)
      : undefined;
    const bytesOf = (part: string): Promise<Uint8Array> =>
      small?.bytes(part)?.catch((error) => damaged(path, part, error)) ?? entryOf(part);
    const manifest = parseManifest((await entryOf(MANIFEST_PART)).toString('utf8'), path);
    return {
      path,
      manifest,
      parts: new Set([...entries.keys(), ...(small?.names ?? [])]),
      size: (part) => small?.size(part) ?? entries.get(part)?.uncompressedSize ?? 0,
      read: async (part) => Buffer.from(await bytesOf(part)).toString('utf8'),
      bytes: bytesOf,
      pathOf: () => undefined,
      stream: async function* (part) {
        if (small?.size(part) !== undefined) yield bytesOf(part);
        else yield* guarded(path, part, await open(part).catch((error) => damaged(path, part, error)));
      },
      close: async () => zip.close(),
    };
  } catch (error) {
    zip.close();
    throw error;
  }
}

/** Passes chunks on and turns a read error into a TraceError. */
async function* guarded(path: string, part: string, chunks: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of chunks) yield chunk as Buffer;
  } catch (error) {
    damaged(path, part, error);
  }
}

function damaged(path: string, part: string, cause: unknown): never {
  if (cause instanceof TraceError) throw cause;
  throw new TraceError(`${path}: cannot read its part ${part} (${messageOf(cause)}); the trace is damaged`);
}

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
    const index = planSmallParts(sizes, await readManifest(folder));
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
      `cannot write ${output} (${messageOf(error)}); nothing is lost: the recording is in ${folder}, which opens like a trace file`,
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
