import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import * as v from 'valibot';
import { TraceError } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { nativeParts, seenParts } from './part-names.ts';

/**
 * A recording of thousands of processes has tens of thousands of parts of a few bytes: each as an entry of the zip takes
 * half a millisecond to write and to read. So many are put into a few entries one behind the other, with an index.
 */
export const SMALL_PARTS_INDEX = 'small-parts.json';
const bundleName = (number: number) => `small-parts/${number}`;

const LARGEST_SMALL_PART = 64 * 1024;
/** With fewer parts they stay files of their own, which any tool can look at. */
const LEAST_PARTS = 1_000;
/** A reader holds one. */
const BUNDLE_BYTES = 16 * 1024 ** 2;

/** Per bundle its parts in their order: name and bytes. */
const IndexSchema = v.array(v.array(v.tuple([v.string(), v.pipe(v.number(), v.integer(), v.minValue(0))])));
export type SmallPartsIndex = v.InferOutput<typeof IndexSchema>;

/** Which parts of a folder are put together, in the order in which a reader asks for them; `sizes` has all. */
export function planSmallParts(sizes: ReadonlyMap<string, number>, { processes }: Manifest): SmallPartsIndex {
  if (sizes.size < LEAST_PARTS) return [];
  const index: SmallPartsIndex = [];
  let room = 0;
  const ordered = [
    ...processes.flatMap(({ id }) => seenParts(id)),
    ...processes.flatMap(({ native }) => native.flatMap(nativeParts)),
  ];
  for (const name of ordered) {
    const size = sizes.get(name);
    if (size === undefined || size > LARGEST_SMALL_PART) continue;
    if (index.length === 0 || size > room) {
      index.push([]);
      room = BUNDLE_BYTES;
    }
    room -= size;
    index.at(-1)!.push([name, size]);
  }
  return index;
}

/** The bundles of `index` as entries of a zip, read from `folder` when they are asked for. */
export function smallPartBundles(folder: string, index: SmallPartsIndex): { name: string; read: () => Readable }[] {
  return index.map((parts, number) => ({
    name: bundleName(number),
    read: () => Readable.from(contents(folder, parts)),
  }));
}

async function* contents(folder: string, parts: SmallPartsIndex[number]): AsyncGenerator<Buffer> {
  for (const [name, size] of parts) {
    const bytes = await readFile(join(folder, name));
    if (bytes.length !== size) throw new Error(`${name} changed meanwhile`);
    yield bytes;
  }
}

/** Finds small parts in their bundles. */
export interface SmallParts {
  readonly names: Iterable<string>;
  size(part: string): number | undefined;
  /** Undefined when it is none. */
  bytes(part: string): Promise<Uint8Array> | undefined;
}

/**
 * Reads the index; `source` names the trace in errors, `readBundle` reads an entry, of which one is held.
 * @throws TraceError when the index is damaged.
 */
export function openSmallParts(
  text: string,
  source: string,
  readBundle: (name: string) => Promise<Uint8Array>,
): SmallParts {
  const places = new Map<string, { bundle: string; from: number; size: number }>();
  for (const [number, parts] of parseIndex(text, source).entries()) {
    let from = 0;
    for (const [name, size] of parts) {
      places.set(name, { bundle: bundleName(number), from, size });
      from += size;
    }
  }
  let held: { bundle: string; bytes: Promise<Uint8Array> } | undefined;
  return {
    names: places.keys(),
    size: (part) => places.get(part)?.size,
    bytes(part) {
      const place = places.get(part);
      if (place === undefined) return undefined;
      if (held?.bundle !== place.bundle) held = { bundle: place.bundle, bytes: readBundle(place.bundle) };
      return held.bytes.then((bytes) => {
        if (place.from + place.size > bytes.length)
          throw new TraceError(`${source}: its part ${part} is cut off; the trace is damaged`);
        return bytes.subarray(place.from, place.from + place.size);
      });
    },
  };
}

function parseIndex(text: string, source: string): SmallPartsIndex {
  try {
    return v.parse(IndexSchema, JSON.parse(text));
  } catch {
    throw new TraceError(`${source}: its part ${SMALL_PARTS_INDEX} is not readable; the trace is damaged`);
  }
}
