import { ByteReader } from '../reader.ts';
import { parseAt } from '../section.ts';
import { FORM, TAG } from './constants.ts';
import { type Entry, newEntry, readEntry, type Value } from './entry.ts';
import { readText, type Unit } from './units.ts';

/** What an entry of a function says of its name. */
export interface EntryName {
  /** Mangled; empty where the compiler stated none (C, and functions of one file in C++). */
  readonly linkageName: string;
  /** As in the source with namespaces and types around it, without arguments; may be empty. */
  readonly name: string;
  /** Line of its declaration, 0 when not stated. */
  readonly declLine: number;
  /** Offset of the abstract entry it was made from, -1 without one. */
  readonly origin: number;
}

/** How names of other entries are found. */
export interface EntrySpace {
  /** The unit around an entry, undefined when there is none. */
  unitAround(offset: number): Unit | undefined;
  /** Offsets of the entries around one, innermost first. */
  scopesOf(unit: Unit, offset: number): readonly number[];
  /** The file of shared debug information (dwz), if there is one. */
  readonly alternate: { nameOf(offset: number): EntryName; text(offset: number): string } | undefined;
}

const MAX_HOPS = 16;
const MAX_SCOPES = 32;

/**
 * Name of the function whose entry is at `offset`: a concrete entry completes an abstract one, which may complete the
 * declaration in a class, and each may hold what the others leave out.
 * @throws RangeError when they are damaged.
 */
export function readEntryName(space: EntrySpace, offset: number): EntryName {
  const entry = newEntry();
  let name = '';
  let declLine = 0;
  let origin = -1;
  let at = offset;
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    const unit = space.unitAround(at);
    if (unit === undefined) break;
    readEntryAt(unit, at, entry);
    declLine ||= entry.declLine;
    const linkageName = textOf(space, unit, entry.linkageName);
    if (linkageName !== '') return { linkageName, name, declLine, origin };
    name ||= textOf(space, unit, entry.name);
    const { form, value } = entry.origin;
    if (form === 0 || form === FORM.refSig8) {
      return { linkageName: '', name: qualified(space, unit, at, name), declLine, origin };
    }
    if (isAlternateReference(form)) return { ...alternateName(space, value, name), origin };
    if (hop === 0) origin = value;
    at = value;
  }
  return { linkageName: '', name, declLine, origin };
}

function alternateName(space: EntrySpace, offset: number, name: string): EntryName {
  return space.alternate?.nameOf(offset) ?? { linkageName: '', name, declLine: 0, origin: -1 };
}

function qualified(space: EntrySpace, unit: Unit, offset: number, name: string): string {
  if (name === '') return '';
  const scopes = space.scopesOf(unit, offset).slice(0, MAX_SCOPES);
  // GCC leaves the class of a lambda without a name.
  const nameless = name === 'operator()' ? '{lambda}' : '(anonymous)';
  return [...scopes.map((scope) => scopeName(space, unit, scope, nameless)).reverse(), name].join('::');
}

function scopeName(space: EntrySpace, unit: Unit, offset: number, nameless: string): string {
  const entry = newEntry();
  const tag = readEntryAt(unit, offset, entry);
  const own = textOf(space, unit, entry.name);
  if (own !== '') return own;
  const { form, value } = entry.origin;
  const around = form === 0 || isAlternateReference(form) ? undefined : space.unitAround(value);
  if (around !== undefined) {
    readEntryAt(around, value, entry);
    const completed = textOf(space, around, entry.name);
    if (completed !== '') return completed;
  }
  return tag === TAG.namespace ? '(anonymous namespace)' : nameless;
}

/** Fills `entry` and tells its tag. */
function readEntryAt(unit: Unit, offset: number, entry: Entry): number {
  return parseAt(unit.sections.info, offset, (bytes) => {
    const reader = new ByteReader(bytes);
    const abbreviation = unit.table.get(reader.uleb());
    readEntry(reader, abbreviation, unit, unit.offset, entry);
    return abbreviation.tag;
  });
}

function textOf(space: EntrySpace, unit: Unit, value: Readonly<Value>): string {
  if (value.form === FORM.gnuStrpAlt || value.form === FORM.strpSup) return space.alternate?.text(value.value) ?? '';
  return readText(unit, value) ?? '';
}

const isAlternateReference = (form: number): boolean =>
  form === FORM.gnuRefAlt || form === FORM.refSup4 || form === FORM.refSup8;
