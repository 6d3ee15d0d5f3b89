/**
 * Readable names from the runtime's own spellings. The runtime writes `Ns.Outer`1+Inner`1[System.Int32,System.Byte[]]`,
 * with assembly-qualified arguments in a second pair of brackets, and `System.__Canon` for "any reference type" in code
 * that instances share. How the C# compiler names what it generates: dotnet/roslyn, GeneratedNameKind.cs.
 */

interface Segment {
  /** Name without the arity. */
  readonly name: string;
  readonly args: readonly string[];
}

interface ParsedType {
  /** The type and those it is nested in, outermost first. */
  readonly segments: readonly Segment[];
  /** Ranks of arrays, stars, references. */
  readonly suffix: string;
}

/** Longer names are shown as they are, so that garbage costs nothing. */
const MAX_LENGTH = 4096;
const MAX_DEPTH = 32;
const MAX_PASSES = 4;

/**
 * A readable type name, for example `System.Collections.Generic.Dictionary<System.Int32, System.Byte[]>`. Never throws;
 * a readable name stays as it is, and so does text that is no type name.
 */
export function readableTypeName(runtimeName: string): string {
  if (runtimeName.length > MAX_LENGTH) return runtimeName;
  let name = runtimeName;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const next = onePass(name);
    if (next === name) return name;
    name = next;
  }
  return runtimeName;
}

function onePass(name: string): string {
  const type = parseType(name);
  return type === undefined ? name : typeText(type);
}

/**
 * A readable function name. Parts the compiler generated are shown as the method they were written in:
 * `Program+<LoadAsync>d__3`, `MoveNext` is `Program.LoadAsync`; lambdas are `Program.Main.<lambda>`, local functions
 * `Program.Main.Fill`. A constructor is `new Ns.Widget`. Never throws.
 *
 * @param namespace the full type name as the runtime's method events carry it
 * @param name the method's name in metadata
 */
export function readableFunctionName(namespace: string, name: string): string {
  if (namespace.length + name.length > MAX_LENGTH) return `${namespace}.${name}`;
  if (name.startsWith('IL_STUB')) return `${name} (runtime stub)`;
  if (namespace === 'dynamicClass') return `${name} (dynamic method)`;
  if (namespace === '') return memberName(name);
  const type = parseType(namespace);
  if (type === undefined) return `${namespace}.${name}`;

  const { segments } = type;
  const generated = segments.findIndex((segment) => isStateMachine(segment.name) || isClosure(segment.name));
  const owner = segments.slice(0, generated < 0 ? segments.length : generated);
  const stateMachine = segments.slice(owner.length).findLast((segment) => isStateMachine(segment.name));
  const prefix = owner.length === 0 ? '' : `${segmentsText(owner)}.`;
  if (stateMachine !== undefined) return prefix + memberName(stateMachine.name);
  if (name === '.ctor') return `new ${typeText(type)}`;
  if (name === '.cctor') return `${typeText(type)} (static init)`;
  return generated < 0 ? `${typeText(type)}.${memberName(name)}` : prefix + memberName(name);
}

// Compiler-generated names

const isStateMachine = (name: string): boolean => /^<.+>d(__\w+)?$/.test(name);
const isClosure = (name: string): boolean => /^<>c(__\w+)?$/.test(name);

const OPERATORS: Record<string, string> = {
  op_Addition: '+',
  op_Subtraction: '-',
  op_Multiply: '*',
  op_Division: '/',
  op_Modulus: '%',
  op_Equality: '==',
  op_Inequality: '!=',
  op_LessThan: '<',
  op_GreaterThan: '>',
  op_LessThanOrEqual: '<=',
  op_GreaterThanOrEqual: '>=',
  op_BitwiseAnd: '&',
  op_BitwiseOr: '|',
  op_ExclusiveOr: '^',
  op_LeftShift: '<<',
  op_RightShift: '>>',
  op_UnsignedRightShift: '>>>',
  op_UnaryNegation: '-',
  op_UnaryPlus: '+',
  op_LogicalNot: '!',
  op_OnesComplement: '~',
  op_Increment: '++',
  op_Decrement: '--',
  op_True: 'true',
  op_False: 'false',
  op_Implicit: 'implicit',
  op_Explicit: 'explicit',
};

/** The name a method was written with: `<Main>g__Fill|0_1` is `Main.Fill`, `<Main>b__0` is `Main.<lambda>`. */
function memberName(name: string, depth = 0): string {
  if (name in OPERATORS) return `operator ${OPERATORS[name]}`;
  if (!name.startsWith('<') || depth > MAX_DEPTH) return name;
  const close = closingAngle(name);
  if (close <= 1) return name;
  const rest = name.slice(close + 1);
  const inner = (): string => {
    const text = name.slice(1, close);
    if (text === '.ctor' || text === '.cctor') return text.slice(1);
    // Names of explicit implementations have dots, which a type's name must not have.
    return memberName(text, depth + 1).replaceAll('-', '.');
  };
  if (rest === '' || rest === '$' || /^[dn](__|$)/.test(rest)) return inner();
  if (rest.startsWith('b__')) return `${inner()}.<lambda>`;
  const local = /^g__([^|]+)\|/.exec(rest);
  return local === null ? name : `${inner()}.${local[1]}`;
}

/** Index of the `>` that closes the `<` at the start, or -1. */
function closingAngle(name: string): number {
  let depth = 0;
  for (let i = 0; i < name.length; i++) {
    if (name[i] === '<') depth++;
    else if (name[i] === '>' && --depth === 0) return i;
  }
  return -1;
}

function segmentName(name: string): string {
  if (!name.startsWith('<')) return name;
  if (isStateMachine(name)) return `${memberName(name)}.<state>`;
  if (name === '<>c') return '<lambdas>';
  const closure = /^<>c__(DisplayClass)?(\w+)$/.exec(name);
  if (closure !== null) return `<${closure[1] === undefined ? 'lambdas' : 'closure'} ${closure[2]}>`;
  const anonymous = /^<>f__AnonymousType(\w+)$/.exec(name);
  if (anonymous !== null) return `<anonymous type ${anonymous[1]}>`;
  // A type that is local to its file: <FileName>F…hash…__Name.
  const fileLocal = /^<[^>]*>F[0-9A-F]{64}__(.+)$/.exec(name);
  return fileLocal === null ? name : fileLocal[1];
}

// Types

function typeText(type: ParsedType): string {
  return segmentsText(type.segments) + type.suffix;
}

function segmentsText(segments: readonly Segment[]): string {
  return segments
    .map(({ name, args }) => (args.length === 0 ? segmentName(name) : `${segmentName(name)}<${args.join(', ')}>`))
    .join('.');
}

interface Input {
  readonly text: string;
  at: number;
}

function parseType(text: string): ParsedType | undefined {
  const input: Input = { text, at: 0 };
  const type = readType(input, 0);
  return type !== undefined && input.at === text.length ? type : undefined;
}

function readType(input: Input, depth: number): ParsedType | undefined {
  if (depth > MAX_DEPTH) return undefined;
  const path = readPath(input);
  if (path.some((name) => name === '')) return undefined;
  let args: string[] = [];
  if (input.text[input.at] === '[' && !isRank(input)) {
    const read = readArguments(input, depth);
    if (read === undefined) return undefined;
    args = read;
  }
  return { segments: distribute(path, args), suffix: readSuffix(input) };
}

/** Names separated by `+`; brackets and commas within angles belong to a name that the compiler generated. */
function readPath(input: Input): string[] {
  const { text } = input;
  const names: string[] = [];
  let angles = 0;
  let start = input.at;
  for (; input.at < text.length; input.at++) {
    const character = text[input.at];
    if (character === '<') angles++;
    else if (character === '>' && angles > 0) angles--;
    else if (angles > 0) continue;
    else if (character === '+') {
      names.push(text.slice(start, input.at));
      start = input.at + 1;
    } else if (character === '[' || character === ']' || character === ',' || character === '*' || character === '&') {
      break;
    }
  }
  names.push(text.slice(start, input.at));
  return names;
}

const RANK = /\[[,*]*\]/y;

function isRank(input: Input): boolean {
  RANK.lastIndex = input.at;
  return RANK.test(input.text);
}

function readSuffix(input: Input): string {
  const start = input.at;
  for (;;) {
    const character = input.text[input.at];
    if (character === '*' || character === '&') input.at++;
    else if (character === '[' && isRank(input)) input.at = RANK.lastIndex;
    else return input.text.slice(start, input.at);
  }
}

/** `[A,B]` or, with the assemblies stated, `[[A, Assembly, Version=…],[B, …]]`. */
function readArguments(input: Input, depth: number): string[] | undefined {
  const args: string[] = [];
  do {
    input.at++;
    if (input.text[input.at] === ' ') input.at++;
    const isQualified = input.text[input.at] === '[';
    if (isQualified) input.at++;
    const type = readType(input, depth + 1);
    if (type === undefined) return undefined;
    args.push(typeText(type));
    if (isQualified) {
      const close = input.text.indexOf(']', input.at);
      if (close < 0) return undefined;
      input.at = close + 1;
    }
  } while (input.text[input.at] === ',');
  if (input.text[input.at] !== ']') return undefined;
  input.at++;
  return args;
}

const CANON = 'System.__Canon';

/**
 * Gives each type of the path its own arguments: the runtime lists those of all in one. Arguments that are not known,
 * because reference types share the code, are named T, or T1, T2 … of several.
 */
function distribute(path: readonly string[], args: readonly string[]): Segment[] {
  const segments = path.map((text) => {
    const arity = /`(\d{1,3})$/.exec(text);
    return {
      name: arity === null ? text : text.slice(0, arity.index),
      arity: arity === null ? 0 : Number(arity[1]),
    };
  });
  // Arrays of nested types come without their outer type and arity: "Entry[System.String,System.Int32][]".
  const known = segments.reduce((sum, segment) => sum + segment.arity, 0);
  segments[segments.length - 1].arity += Math.max(0, args.length - known);
  let next = 0;
  return segments.map(({ name, arity }) => {
    const own = Array.from({ length: arity }, (_, i) => {
      const parameter = arity === 1 ? 'T' : `T${i + 1}`;
      const argument = args[next++] ?? CANON;
      return argument.startsWith(CANON) ? parameter + argument.slice(CANON.length) : argument;
    });
    return { name, args: own };
  });
}
