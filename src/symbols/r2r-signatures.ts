import { type Cursor, compressedSigned, compressedUnsigned } from './bytes.ts';

/** Names of the types that a signature refers to, by the module it is in. */
export interface SignatureScope {
  /** Full name of a type by its TypeDefOrRef coded index; `module` 0 is the image itself, else a module override. */
  typeName(module: number, coded: number): string;
}

/** What an instance entry point is code for: a generic method, or a method of a generic type. */
export interface InstanceSignature {
  /** The module override of the method's own token: 0 when it is in the image's metadata. */
  readonly module: number;
  readonly methodRow: number;
  /** The owner with its arguments as the runtime spells it, or empty when the signature leaves it to the token. */
  readonly owner: string;
  /** Arguments of the method itself. */
  readonly methodArguments: readonly string[];
}

/** Flags of a method signature (dotnet/runtime, src/coreclr/inc/readytorun.h). */
const METHOD_INSTANTIATION = 0x04;
const SLOT_INSTEAD_OF_TOKEN = 0x08;
const MEMBER_REF_TOKEN = 0x10;
const CONSTRAINED = 0x20;
const OWNER_TYPE = 0x40;
const UPDATE_CONTEXT = 0x80;

const MAX_DEPTH = 64;
const MAX_ARGUMENTS = 1024;

/** ECMA-335 II.23.1.16, primitive element types. */
const PRIMITIVES: Record<number, string> = {
  1: 'System.Void',
  2: 'System.Boolean',
  3: 'System.Char',
  4: 'System.SByte',
  5: 'System.Byte',
  6: 'System.Int16',
  7: 'System.UInt16',
  8: 'System.Int32',
  9: 'System.UInt32',
  10: 'System.Int64',
  11: 'System.UInt64',
  12: 'System.Single',
  13: 'System.Double',
  14: 'System.String',
  22: 'System.TypedReference',
  24: 'System.IntPtr',
  25: 'System.UIntPtr',
  28: 'System.Object',
  62: 'System.__Canon',
};
const POINTER = 15;
const BY_REF = 16;
const VALUE_TYPE = 17;
const CLASS = 18;
const TYPE_VARIABLE = 19;
const ARRAY = 20;
const GENERIC_INSTANCE = 21;
const FUNCTION_POINTER = 27;
const SZ_ARRAY = 29;
const METHOD_VARIABLE = 30;
const MODIFIER_REQUIRED = 31;
const MODIFIER_OPTIONAL = 32;
const PINNED = 69;
const VARIABLE_ZAPSIG = 59;
const NATIVE_VALUE_TYPE_ZAPSIG = 61;
const MODULE_ZAPSIG = 63;

/** Nothing is named: for moving the cursor past a signature. */
const NAMELESS: SignatureScope = { typeName: () => '' };

/** Reads the signature at the cursor and moves the cursor behind it. Damaged ones throw RangeError. */
export function readInstanceSignature(cursor: Cursor, scope: SignatureScope = NAMELESS): InstanceSignature {
  const flags = compressedUnsigned(cursor);
  if ((flags & (SLOT_INSTEAD_OF_TOKEN | MEMBER_REF_TOKEN)) !== 0) throw new RangeError('an instance without a token');
  const module = (flags & UPDATE_CONTEXT) === 0 ? 0 : compressedUnsigned(cursor);
  const owner = (flags & OWNER_TYPE) === 0 ? '' : readType(cursor, scope, module, 0);
  const methodRow = compressedUnsigned(cursor);
  const methodArguments: string[] = [];
  if ((flags & METHOD_INSTANTIATION) !== 0) {
    const count = argumentCount(cursor);
    for (let i = 0; i < count; i++) methodArguments.push(readType(cursor, scope, module, 0));
  }
  if ((flags & CONSTRAINED) !== 0) readType(cursor, scope, module, 0);
  return { module, methodRow, owner, methodArguments };
}

function argumentCount(cursor: Cursor): number {
  const count = compressedUnsigned(cursor);
  if (count > MAX_ARGUMENTS) throw new RangeError(`${count} type arguments`);
  return count;
}

/** A type in the spelling of the runtime's events, `Ns.Outer`1+Inner`1[System.Int32,System.__Canon]`. */
function readType(cursor: Cursor, scope: SignatureScope, module: number, depth: number): string {
  if (depth > MAX_DEPTH) throw new RangeError('types nested too deep');
  const element = cursor.view.getUint8(cursor.at++);
  const inner = (inModule = module) => readType(cursor, scope, inModule, depth + 1);
  if (element in PRIMITIVES) return PRIMITIVES[element];
  switch (element) {
    case POINTER:
      return `${inner()}*`;
    case BY_REF:
      return `${inner()}&`;
    case SZ_ARRAY:
      return `${inner()}[]`;
    case PINNED:
    case NATIVE_VALUE_TYPE_ZAPSIG:
      return inner();
    case MODULE_ZAPSIG:
      return inner(compressedUnsigned(cursor));
    case VALUE_TYPE:
    case CLASS:
      return scope.typeName(module, compressedUnsigned(cursor));
    case TYPE_VARIABLE:
    case VARIABLE_ZAPSIG:
      return `!${compressedUnsigned(cursor)}`;
    case METHOD_VARIABLE:
      return `!!${compressedUnsigned(cursor)}`;
    case MODIFIER_REQUIRED:
    case MODIFIER_OPTIONAL:
      compressedUnsigned(cursor);
      return inner();
    case ARRAY: {
      const name = inner();
      const rank = argumentCount(cursor);
      const sizes = argumentCount(cursor);
      for (let i = 0; i < sizes; i++) compressedUnsigned(cursor);
      const bounds = argumentCount(cursor);
      for (let i = 0; i < bounds; i++) compressedSigned(cursor);
      return `${name}[${','.repeat(Math.max(0, rank - 1))}]`;
    }
    case GENERIC_INSTANCE: {
      const name = inner();
      const count = argumentCount(cursor);
      // A module override of the generic type holds for the type alone: its arguments are in the outer module again.
      const names = Array.from({ length: count }, () => inner());
      return `${name}[${names.join(',')}]`;
    }
    case FUNCTION_POINTER: {
      compressedUnsigned(cursor);
      const parameters = argumentCount(cursor);
      for (let i = 0; i <= parameters; i++) inner();
      return 'System.IntPtr';
    }
    default:
      throw new RangeError(`element type ${element}`);
  }
}
