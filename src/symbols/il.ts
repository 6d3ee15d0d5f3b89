import { viewOf } from './bytes.ts';

/**
 * Where a method's IL calls and allocates. A frame on a stack stands at a call, an allocation at `newobj`, `newarr` or
 * `box`: that tells which of several statements is meant where optimised code left few marks.
 */
export interface IlOperations {
  /** IL offsets of `call`, `callvirt`, `calli`, `jmp` and `newobj`, ascending. */
  readonly calls: number[];
  /** IL offsets of `newobj`, `newarr` and `box`, ascending. */
  readonly allocations: number[];
  /** IL offsets behind an instruction that never goes on to the next: handlers start there, and what is jumped to. */
  readonly apart: number[];
}

const CALLS = new Set([0x27, 0x28, 0x29, 0x6f, 0x73]);
const ALLOCATIONS = new Set([0x73, 0x8c, 0x8d]);
/** jmp, ret, br.s, br, throw, endfinally, leave, leave.s; behind the prefix endfilter, rethrow. */
const ENDS = new Set([0x27, 0x2a, 0x2b, 0x38, 0x7a, 0xdc, 0xdd, 0xde]);
const PREFIXED_ENDS = new Set([0x11, 0x1a]);
const SWITCH = 0x45;
const PREFIX = 0xfe;

/** Operand bytes of the one-byte opcodes that have any, as ranges first–last (ECMA-335 III, opcode.def of dotnet/runtime). */
const OPERANDS: readonly (readonly [first: number, last: number, bytes: number])[] = [
  [0x0e, 0x13, 1], // ldarg.s … stloc.s
  [0x1f, 0x1f, 1], // ldc.i4.s
  [0x20, 0x20, 4], // ldc.i4
  [0x21, 0x21, 8], // ldc.i8
  [0x22, 0x22, 4], // ldc.r4
  [0x23, 0x23, 8], // ldc.r8
  [0x27, 0x29, 4], // jmp, call, calli
  [0x2b, 0x37, 1], // short branches
  [0x38, 0x44, 4], // branches
  [0x6f, 0x75, 4], // callvirt … isinst
  [0x79, 0x79, 4], // unbox
  [0x7b, 0x81, 4], // ldfld … stobj
  [0x8c, 0x8d, 4], // box, newarr
  [0x8f, 0x8f, 4], // ldelema
  [0xa3, 0xa5, 4], // ldelem, stelem, unbox.any
  [0xc2, 0xc2, 4], // refanyval
  [0xc6, 0xc6, 4], // mkrefany
  [0xd0, 0xd0, 4], // ldtoken
  [0xdd, 0xdd, 4], // leave
  [0xde, 0xde, 1], // leave.s
];

/** The same for the opcodes behind the prefix 0xfe. */
const PREFIXED_OPERANDS: readonly (readonly [first: number, last: number, bytes: number])[] = [
  [0x06, 0x07, 4], // ldftn, ldvirtftn
  [0x09, 0x0e, 2], // ldarg … stloc
  [0x12, 0x12, 1], // unaligned.
  [0x15, 0x16, 4], // initobj, constrained.
  [0x19, 0x19, 1], // no.
  [0x1c, 0x1c, 4], // sizeof
];

const operandBytes = operandTable(OPERANDS);
const prefixedOperandBytes = operandTable(PREFIXED_OPERANDS);

function operandTable(ranges: typeof OPERANDS): Uint8Array {
  const table = new Uint8Array(256);
  for (const [first, last, bytes] of ranges) table.fill(bytes, first, last + 1);
  return table;
}

/** Size in bytes of a method's IL and of the header before it, from its first bytes (ECMA-335 II.25.4). */
export function readMethodHeader(bytes: Uint8Array): { readonly headerSize: number; readonly codeSize: number } {
  const view = viewOf(bytes);
  const first = view.getUint8(0);
  if ((first & 3) === 2) return { headerSize: 1, codeSize: first >> 2 };
  return { headerSize: (view.getUint16(0, true) >> 12) * 4, codeSize: view.getUint32(4, true) };
}

/**
 * @param il a method's IL, without its header
 * @throws RangeError when an operand lies outside of it.
 */
export function readOperations(il: Uint8Array): IlOperations {
  const view = viewOf(il);
  const calls: number[] = [];
  const allocations: number[] = [];
  const apart: number[] = [];
  let at = 0;
  while (at < il.length) {
    const offset = at;
    const opcode = il[at++];
    if (opcode === PREFIX) {
      const prefixed = view.getUint8(at);
      at += 1 + prefixedOperandBytes[prefixed];
      if (PREFIXED_ENDS.has(prefixed)) apart.push(at);
      continue;
    }
    if (CALLS.has(opcode)) calls.push(offset);
    if (ALLOCATIONS.has(opcode)) allocations.push(offset);
    at += opcode === SWITCH ? 4 + 4 * view.getUint32(at, true) : operandBytes[opcode];
    if (ENDS.has(opcode)) apart.push(at);
  }
  return { calls, allocations, apart };
}
