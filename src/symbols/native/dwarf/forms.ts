import type { ByteReader } from '../reader.ts';
import { FORM } from './constants.ts';

/** What the size of a value depends on. */
export interface Encoding {
  readonly version: number;
  /** 4, or 8 in 64-bit DWARF. */
  readonly offsetSize: number;
  readonly addressSize: number;
}

/** Bytes of a form's value where they are the same for every value, else -1. */
export function fixedSize(form: number, encoding: Encoding): number {
  switch (form) {
    case FORM.flagPresent:
    case FORM.implicitConst:
      return 0;
    case FORM.data1:
    case FORM.flag:
    case FORM.ref1:
    case FORM.strx1:
    case FORM.addrx1:
      return 1;
    case FORM.data2:
    case FORM.ref2:
    case FORM.strx2:
    case FORM.addrx2:
      return 2;
    case FORM.strx3:
    case FORM.addrx3:
      return 3;
    case FORM.data4:
    case FORM.ref4:
    case FORM.strx4:
    case FORM.addrx4:
    case FORM.refSup4:
      return 4;
    case FORM.data8:
    case FORM.ref8:
    case FORM.refSig8:
    case FORM.refSup8:
      return 8;
    case FORM.data16:
      return 16;
    case FORM.addr:
      return encoding.addressSize;
    case FORM.refAddr:
      return encoding.version === 2 ? encoding.addressSize : encoding.offsetSize;
    case FORM.strp:
    case FORM.lineStrp:
    case FORM.secOffset:
    case FORM.strpSup:
    case FORM.gnuRefAlt:
    case FORM.gnuStrpAlt:
      return encoding.offsetSize;
    default:
      return -1;
  }
}

/**
 * The value of a form as a number: a constant, an address, an index, an offset. For text in place it is where the text
 * starts in the reader's bytes; for blocks and 16-byte values their place too.
 * @throws RangeError for an unknown form: its size is not known, so nothing behind it can be read.
 */
export function readForm(reader: ByteReader, form: number, encoding: Encoding): number {
  const size = fixedSize(form, encoding);
  if (size === 3) return reader.u24();
  if (size === 0) return 1;
  if (size > 0 && size <= 8) return reader.unsigned(size);
  const start = reader.at;
  switch (form) {
    case FORM.udata:
    case FORM.refUdata:
    case FORM.strx:
    case FORM.addrx:
    case FORM.rnglistx:
    case FORM.loclistx:
    case FORM.gnuAddrIndex:
    case FORM.gnuStrIndex:
      return reader.uleb();
    case FORM.sdata:
      return reader.sleb();
    case FORM.string:
      reader.skipText();
      return start;
    case FORM.block1:
      reader.skip(reader.u8());
      return start;
    case FORM.block2:
      reader.skip(reader.u16());
      return start;
    case FORM.block4:
      reader.skip(reader.u32());
      return start;
    case FORM.block:
    case FORM.exprloc:
      reader.skip(reader.uleb());
      return start;
    case FORM.data16:
      reader.skip(16);
      return start;
    default:
      throw new RangeError(`DWARF form 0x${form.toString(16)}`);
  }
}

/** True for forms that hold an address or its index, in contrast to a length. */
export const isAddressForm = (form: number): boolean => form === FORM.addr || isAddressIndexForm(form);

export const isAddressIndexForm = (form: number): boolean =>
  form === FORM.addrx || (form >= FORM.addrx1 && form <= FORM.addrx4) || form === FORM.gnuAddrIndex;

export const isTextIndexForm = (form: number): boolean =>
  form === FORM.strx || (form >= FORM.strx1 && form <= FORM.strx4) || form === FORM.gnuStrIndex;
