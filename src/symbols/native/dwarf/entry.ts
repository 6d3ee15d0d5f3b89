import type { ByteReader } from '../reader.ts';
import type { Abbreviation } from './abbreviations.ts';
import { AT, FORM } from './constants.ts';
import { type Encoding, readForm } from './forms.ts';

/** A value with its form; form 0 when the entry has no such attribute. */
export interface Value {
  form: number;
  value: number;
  /** What `value` is a place in, for text in place. */
  bytes: Uint8Array;
}

/**
 * The attributes of a debugging information entry that name code and its places. One such record is filled again and
 * again while a unit is walked: nothing is made per entry.
 */
export interface Entry {
  readonly name: Value;
  readonly linkageName: Value;
  readonly compDir: Value;
  readonly dwoName: Value;
  readonly lowPc: Value;
  readonly highPc: Value;
  readonly ranges: Value;
  /** DW_AT_abstract_origin or DW_AT_specification: the entry this one completes. */
  readonly origin: Value;
  readonly stmtList: Value;
  /** 0 when not stated. */
  declLine: number;
  callFile: number;
  callLine: number;
  /** -1 when not stated. */
  strOffsetsBase: number;
  addrBase: number;
  rnglistsBase: number;
}

const NO_BYTES = new Uint8Array();
const noValue = (): Value => ({ form: 0, value: 0, bytes: NO_BYTES });

export const newEntry = (): Entry => ({
  name: noValue(),
  linkageName: noValue(),
  compDir: noValue(),
  dwoName: noValue(),
  lowPc: noValue(),
  highPc: noValue(),
  ranges: noValue(),
  origin: noValue(),
  stmtList: noValue(),
  declLine: 0,
  callFile: 0,
  callLine: 0,
  strOffsetsBase: -1,
  addrBase: -1,
  rnglistsBase: -1,
});

/** Fills `entry` from the values behind an entry's code. References within the unit come out as offsets in the section. */
export function readEntry(
  reader: ByteReader,
  abbreviation: Abbreviation,
  encoding: Encoding,
  unitOffset: number,
  entry: Entry,
): void {
  clear(entry);
  const { attributes, implicit } = abbreviation;
  for (let i = 0; i < attributes.length; i += 2) {
    let form = attributes[i + 1];
    while (form === FORM.indirect) form = reader.uleb();
    const value = form === FORM.implicitConst ? (implicit?.[i] ?? 0) : readForm(reader, form, encoding);
    keep(entry, attributes[i], form, isUnitReference(form) ? unitOffset + value : value, reader);
  }
}

/** Moves the reader behind an entry. */
export function skipEntry(reader: ByteReader, abbreviation: Abbreviation, encoding: Encoding): void {
  if (abbreviation.size >= 0) {
    reader.skip(abbreviation.size);
    return;
  }
  const { attributes } = abbreviation;
  for (let i = 1; i < attributes.length; i += 2) {
    let form = attributes[i];
    while (form === FORM.indirect) form = reader.uleb();
    readForm(reader, form, encoding);
  }
}

const isUnitReference = (form: number): boolean => form >= FORM.ref1 && form <= FORM.refUdata;

function clear(entry: Entry): void {
  entry.name.form = 0;
  entry.linkageName.form = 0;
  entry.compDir.form = 0;
  entry.dwoName.form = 0;
  entry.lowPc.form = 0;
  entry.highPc.form = 0;
  entry.ranges.form = 0;
  entry.origin.form = 0;
  entry.stmtList.form = 0;
  entry.declLine = 0;
  entry.callFile = 0;
  entry.callLine = 0;
  entry.strOffsetsBase = -1;
  entry.addrBase = -1;
  entry.rnglistsBase = -1;
}

function keep(entry: Entry, attribute: number, form: number, value: number, reader: ByteReader): void {
  const target = targetOf(entry, attribute);
  if (target === undefined) {
    keepNumber(entry, attribute, value);
    return;
  }
  target.form = form;
  target.value = value;
  target.bytes = reader.bytes;
}

function targetOf(entry: Entry, attribute: number): Value | undefined {
  switch (attribute) {
    case AT.name:
      return entry.name;
    case AT.linkageName:
    case AT.mipsLinkageName:
      return entry.linkageName;
    case AT.compDir:
      return entry.compDir;
    case AT.dwoName:
    case AT.gnuDwoName:
      return entry.dwoName;
    case AT.lowPc:
      return entry.lowPc;
    case AT.highPc:
      return entry.highPc;
    case AT.ranges:
      return entry.ranges;
    case AT.abstractOrigin:
    case AT.specification:
      return entry.origin;
    case AT.stmtList:
      return entry.stmtList;
    default:
      return undefined;
  }
}

function keepNumber(entry: Entry, attribute: number, value: number): void {
  switch (attribute) {
    case AT.declLine:
      entry.declLine = value;
      break;
    case AT.callFile:
      entry.callFile = value;
      break;
    case AT.callLine:
      entry.callLine = value;
      break;
    case AT.strOffsetsBase:
      entry.strOffsetsBase = value;
      break;
    case AT.addrBase:
    case AT.gnuAddrBase:
      entry.addrBase = value;
      break;
    case AT.rnglistsBase:
      entry.rnglistsBase = value;
  }
}
