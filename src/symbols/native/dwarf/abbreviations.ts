import { ByteReader } from '../reader.ts';
import { parseAt, type SectionData } from '../section.ts';
import { FORM } from './constants.ts';
import { type Encoding, fixedSize } from './forms.ts';

/** How entries with one code are laid out. */
export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Attribute and form in turn. */
  readonly attributes: readonly number[];
  /** Values of DW_FORM_implicit_const by their place in `attributes`; undefined when there are none. */
  readonly implicit: readonly number[] | undefined;
  /** Bytes of such an entry behind its code where that is the same for all, else -1. */
  readonly size: number;
}

/** A unit's abbreviations by code, read as far as they are asked for. */
export interface Abbreviations {
  /** @throws RangeError for a code that is not in the table. */
  get(code: number): Abbreviation;
}

const MAX_ATTRIBUTES = 4096;

export function readAbbreviations(section: SectionData, offset: number, encoding: Encoding): Abbreviations {
  const known = new Map<number, Abbreviation>();
  let next = offset;

  const readNext = (): boolean =>
    parseAt(section, next, (bytes) => {
      const reader = new ByteReader(bytes);
      const code = reader.uleb();
      if (code === 0) return false;
      const abbreviation = readOne(reader, encoding);
      if (!known.has(code)) known.set(code, abbreviation);
      next += reader.at;
      return true;
    });

  return {
    get(code) {
      let found = known.get(code);
      while (found === undefined) {
        if (!readNext()) throw new RangeError(`abbreviation ${code}`);
        found = known.get(code);
      }
      return found;
    },
  };
}

function readOne(reader: ByteReader, encoding: Encoding): Abbreviation {
  const tag = reader.uleb();
  const hasChildren = reader.u8() !== 0;
  const attributes: number[] = [];
  let implicit: number[] | undefined;
  let size = 0;
  for (;;) {
    const attribute = reader.uleb();
    const form = reader.uleb();
    if (form === FORM.implicitConst) {
      implicit ??= [];
      implicit[attributes.length] = reader.sleb();
    }
    if (attribute === 0 && form === 0) break;
    attributes.push(attribute, form);
    if (attributes.length > MAX_ATTRIBUTES) throw new RangeError('an abbreviation without an end');
    const bytes = fixedSize(form, encoding);
    size = size < 0 || bytes < 0 ? -1 : size + bytes;
  }
  return { tag, hasChildren, attributes, implicit, size };
}
