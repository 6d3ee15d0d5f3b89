import type { Socket } from 'node:net';
import { TraceError } from '../../trace/errors.ts';

/**
 * Messages of the .NET diagnostics IPC, version 1 ("DOTNET_IPC_V1"), as specified in dotnet/diagnostics
 * `documentation/design-docs/ipc-protocol.md`. All numbers are little-endian; one command per connection.
 *
 * Header, 20 bytes: magic (14, "DOTNET_IPC_V1" and NUL), u16 size of the whole message, u8 command set, u8 command id,
 * u16 reserved.
 */
const MAGIC = Buffer.from('DOTNET_IPC_V1\0', 'latin1');
const HEADER_SIZE = 20;
const SERVER_SET = 0xff;
const SERVER_OK = 0x00;

/** How long a runtime may take to answer a command before it counts as stuck, ms. */
const ANSWER_TIMEOUT = 15_000;

/** A command the runtime answered with an error. */
export class IpcError extends Error {
  override readonly name = 'IpcError';
  readonly code: number;
  constructor(code: number) {
    super(ERROR_WORDS[code] ?? `the runtime answered with error 0x${code.toString(16)}`);
    this.code = code;
  }
}

export const UNKNOWN_COMMAND = 0x80131385;

/** HRESULTs of `ds-types.h` in dotnet/runtime, `src/native/eventpipe`. */
const ERROR_WORDS: Record<number, string> = {
  2148733828: 'the runtime does not know this version of the diagnostics protocol',
  [UNKNOWN_COMMAND]: 'the runtime does not know this command',
  2148733830: 'the runtime does not know this kind of message',
  2148734229: 'the runtime does not support this command',
  2147942487: 'the runtime refused the arguments',
  2147500037: 'the runtime failed to carry out the command',
};

/** Sends one command and gives the payload of the answer. What follows on the socket (an event stream) stays unread. */
export async function exchange(socket: Socket, set: number, id: number, payload: Buffer): Promise<Buffer> {
  socket.write(encodeMessage(set, id, payload));
  const header = await readExactly(socket, HEADER_SIZE, ANSWER_TIMEOUT);
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) throw new Error('the answer is not .NET diagnostics IPC');
  const size = header.readUInt16LE(14) - HEADER_SIZE;
  const answer = size > 0 ? await readExactly(socket, size, ANSWER_TIMEOUT) : Buffer.alloc(0);
  if (header[16] === SERVER_SET && header[17] === SERVER_OK) return answer;
  throw new IpcError(answer.length >= 4 ? answer.readUInt32LE(0) : 0);
}

export function encodeMessage(set: number, id: number, payload: Buffer): Buffer {
  const message = Buffer.alloc(HEADER_SIZE + payload.length);
  MAGIC.copy(message);
  message.writeUInt16LE(message.length, 14);
  message[16] = set;
  message[17] = id;
  payload.copy(message, HEADER_SIZE);
  return message;
}

/** Exactly `size` bytes; rejects when the other side closes first or is silent for `timeout` ms. */
export function readExactly(socket: Socket, size: number, timeout: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (act: () => void) => {
      clearTimeout(timer);
      socket.off('readable', take).off('end', ended).off('close', ended).off('error', failed);
      act();
    };
    const take = () => {
      const bytes = socket.read(size) as Buffer | null;
      if (bytes !== null && bytes.length === size) done(() => resolve(bytes));
      else if (bytes !== null) ended();
    };
    const ended = () => done(() => reject(new Error('the process closed the connection')));
    const failed = (error: Error) => done(() => reject(error));
    const timer = setTimeout(
      () => done(() => reject(new TraceError('the process does not answer; is it stopped (SIGSTOP, debugger)?'))),
      timeout,
    );
    socket.on('readable', take).on('end', ended).on('close', ended).on('error', failed);
    take();
  });
}

/** Writes the fields of a payload. Strings are UTF-16 with their length in characters in front, NUL included. */
export function payloadWriter() {
  const parts: Buffer[] = [];
  const number = (size: number, write: (buffer: Buffer) => void) => {
    const part = Buffer.alloc(size);
    write(part);
    parts.push(part);
  };
  return {
    u8: (value: number) => number(1, (part) => part.writeUInt8(value)),
    u32: (value: number) => number(4, (part) => part.writeUInt32LE(value)),
    /** A double up to 2^53 holds every keyword we use. */
    u64: (value: number) => number(8, (part) => part.writeBigUInt64LE(BigInt(value))),
    id: (value: bigint) => number(8, (part) => part.writeBigUInt64LE(value)),
    /** As text its first three fields are numbers, the rest bytes. */
    guid(value: string) {
      const bytes = Buffer.from(value.replaceAll('-', ''), 'hex');
      for (const [from, to] of [
        [0, 4],
        [4, 6],
        [6, 8],
      ])
        bytes.subarray(from, to).reverse();
      parts.push(bytes);
    },
    text(value: string) {
      const text = value === '' ? Buffer.alloc(0) : Buffer.from(`${value}\0`, 'utf16le');
      number(4, (part) => part.writeUInt32LE(text.length / 2));
      parts.push(text);
    },
    finish: () => Buffer.concat(parts),
  };
}

/** Reads the fields of a payload in turn; throws a RangeError behind its end. */
export function payloadReader(payload: Buffer) {
  let at = 0;
  const u32 = () => {
    at += 4;
    return payload.readUInt32LE(at - 4);
  };
  return {
    u32,
    id() {
      at += 8;
      return payload.readBigUInt64LE(at - 8);
    },
    bytes(size: number) {
      at += size;
      return payload.subarray(at - size, at);
    },
    text() {
      const length = u32() * 2;
      at += length;
      if (at > payload.length) throw new RangeError('text reaches behind the end of the message');
      return payload.toString('utf16le', at - length, at).replace(/\0+$/, '');
    },
  };
}
