import { float64Column, uint32Column } from '../../../trace/columns.ts';
import { lastAtMost } from '../../search.ts';
import { indexRanges } from '../range-index.ts';
import { ByteReader } from '../reader.ts';
import { type LineFiles, type LineHeader, readLineHeader } from './line-header.ts';
import { readInitialLength, type Unit } from './units.ts';

/** Which line each address of a unit was made from. */
export interface LineTable {
  readonly files: LineFiles;
  /** Number of the file and 1-based line at `address`; line 0 for code that belongs to none. Undefined outside. */
  find(address: number): { readonly file: number; readonly line: number } | undefined;
  /** Bytes of memory that it takes. */
  readonly bytes: number;
}

const MAX_PROGRAM_BYTES = 512 * 1024 * 1024;
const MAX_ROWS = 16_000_000;

const LNS = {
  copy: 1,
  advancePc: 2,
  advanceLine: 3,
  setFile: 4,
  constAddPc: 8,
  fixedAdvancePc: 9,
} as const;
const LNE = { endSequence: 1, setAddress: 2, defineFile: 3 } as const;

/**
 * Runs the line program of `unit` (DWARF 5, 6.2).
 * @param isCode sequences of functions that the linker dropped start elsewhere
 * @throws RangeError when it is damaged.
 */
export function readLines(unit: Unit, isCode: (address: number) => boolean): LineTable {
  const { line } = unit.sections;
  const offset = unit.lines;
  const head = new ByteReader(line.read(offset, Math.min(12, Math.max(0, line.size - offset))));
  const { length, offsetSize } = readInitialLength(head);
  if (length > MAX_PROGRAM_BYTES) throw new RangeError(`a line program of ${length} bytes`);
  const reader = new ByteReader(line.read(offset + head.at, length));
  const header = readLineHeader(reader, unit, offsetSize);
  return tableOf(runProgram(reader, header, isCode), header.files);
}

/** Rows of all sequences; a sequence's last row is its end. */
interface Rows {
  readonly address: Float64Array;
  readonly file: Uint32Array;
  readonly line: Uint32Array;
  /** First row of each sequence, and behind its last one. */
  readonly from: Uint32Array;
  readonly to: Uint32Array;
}

function tableOf({ address, file, line, from, to }: Rows, files: LineFiles): LineTable {
  const starts = Array.from(from, (row) => address[row]);
  const ends = Array.from(to, (row) => address[row - 1]);
  const sequences = indexRanges(starts, ends);
  return {
    files,
    bytes: address.length * 16,
    find(at) {
      const sequence = sequences.find(at);
      if (sequence < 0) return undefined;
      const row = from[sequence] + lastAtMost(address.subarray(from[sequence], to[sequence] - 1), at);
      return { file: file[row], line: line[row] };
    },
  };
}

function runProgram(reader: ByteReader, header: LineHeader, isCode: (address: number) => boolean): Rows {
  const { minInstruction, lineBase, lineRange, operands, files } = header;
  const opcodeBase = operands.length;
  const rows = { address: float64Column(), file: uint32Column(), line: uint32Column() };
  const from = uint32Column();
  const to = uint32Column();
  let address = 0;
  let file = 1;
  let line = 1;
  let first = 0;

  const addRow = () => {
    if (rows.address.length >= MAX_ROWS) throw new RangeError(`more than ${MAX_ROWS} lines`);
    rows.address.push(address);
    rows.file.push(file);
    rows.line.push(line);
  };
  const endSequence = () => {
    addRow();
    const start = rows.address.data[first];
    if (address > start && isCode(start)) {
      from.push(first);
      to.push(rows.address.length);
    } else {
      rows.address.length = first;
      rows.file.length = first;
      rows.line.length = first;
    }
    first = rows.address.length;
    address = 0;
    file = 1;
    line = 1;
  };
  const extended = () => {
    const size = reader.uleb();
    const end = reader.at + size;
    if (size === 0) return;
    const opcode = reader.u8();
    if (opcode === LNE.endSequence) endSequence();
    else if (opcode === LNE.setAddress) address = reader.unsigned(size - 1);
    else if (opcode === LNE.defineFile) files.add(reader.text(), reader.uleb());
    reader.skip(end - reader.at);
  };

  while (reader.at < reader.bytes.length) {
    const opcode = reader.u8();
    if (opcode >= opcodeBase) {
      const step = opcode - opcodeBase;
      address += Math.floor(step / lineRange) * minInstruction;
      line += lineBase + (step % lineRange);
      addRow();
    } else if (opcode === 0) extended();
    else if (opcode === LNS.copy) addRow();
    else if (opcode === LNS.advancePc) address += reader.uleb() * minInstruction;
    else if (opcode === LNS.advanceLine) line += reader.sleb();
    else if (opcode === LNS.setFile) file = reader.uleb();
    else if (opcode === LNS.constAddPc) address += Math.floor((255 - opcodeBase) / lineRange) * minInstruction;
    else if (opcode === LNS.fixedAdvancePc) address += reader.u16();
    else for (let i = 0; i < operands[opcode]; i++) reader.uleb();
  }
  return {
    address: rows.address.finish(),
    file: rows.file.finish(),
    line: rows.line.finish(),
    from: from.finish(),
    to: to.finish(),
  };
}
