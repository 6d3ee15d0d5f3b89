/**
 * Writes streams for tests, straight from the format documents (perfview src/TraceEvent/EventPipe: NetPerfFormat.md,
 * EventSerialization.md, NetTraceFormat_v5.md, NetTraceFormat.md). It shares no code with the reader.
 */

export interface WriterOptions {
  version: 3 | 4 | 5 | 6;
  pointerSize: 4 | 8;
  /** Compressed event headers; version 3 has none. */
  compressed: boolean;
  pid?: number;
  frequency?: number;
}

export interface EventRow {
  metadataId: number;
  sequence: number;
  capture: number;
  thread: number;
  stackId: number;
  /** Addresses, leaf first: written into the event by version 3. */
  stack?: readonly number[];
  time: number;
  payload: Uint8Array;
}

export class Bytes {
  private parts: number[] = [];
  private taken = 0;
  get length(): number {
    return this.taken + this.parts.length;
  }
  u8(value: number): this {
    this.parts.push(value & 0xff);
    return this;
  }
  u16(value: number): this {
    return this.u8(value).u8(value >> 8);
  }
  u32(value: number): this {
    return this.u16(value).u16(value >>> 16);
  }
  u64(value: number | bigint): this {
    const bits = BigInt.asUintN(64, BigInt(value));
    return this.u32(Number(bits & 0xffff_ffffn)).u32(Number(bits >> 32n));
  }
  pointer(value: number, size: number): this {
    return size === 8 ? this.u64(value) : this.u32(value);
  }
  /** varuint of any value; a negative one as its 64 bits of two's complement. */
  varuint(value: number | bigint): this {
    let bits = BigInt.asUintN(64, BigInt(value));
    while (bits >= 0x80n) {
      this.u8(Number(bits & 0x7fn) | 0x80);
      bits >>= 7n;
    }
    return this.u8(Number(bits));
  }
  utf16(text: string): this {
    for (let i = 0; i < text.length; i++) this.u16(text.charCodeAt(i));
    return this.u16(0);
  }
  varstring(text: string): this {
    const utf8 = Buffer.from(text);
    return this.varuint(utf8.length).raw(utf8);
  }
  raw(bytes: Iterable<number>): this {
    for (const byte of bytes) this.parts.push(byte);
    return this;
  }
  align4(): this {
    while (this.length % 4 !== 0) this.parts.push(0);
    return this;
  }
  done(): Uint8Array {
    return Uint8Array.from(this.parts);
  }
  /** What was written since it was taken last: for a stream too long to hold. */
  take(): Uint8Array {
    const bytes = this.done();
    this.taken += bytes.length;
    this.parts = [];
    return bytes;
  }
}

export const START = { ticks: 1_000_000_000, utc: Date.UTC(2026, 10, 23, 10, 20, 30, 456) };

export function createWriter(options: WriterOptions) {
  const { version, pointerSize, compressed, pid = 4321, frequency = 1_000_000_000 } = options;
  const out = new Bytes();
  let metadata: { id: number; row: Uint8Array }[] = [];

  if (version >= 4) out.raw(Buffer.from('Nettrace'));
  if (version < 6) out.u32(20).raw(Buffer.from('!FastSerialization.1'));
  else out.u32(0).u32(6).u32(0);

  const traceStart = () => {
    const body = new Bytes();
    for (const part of [2026, 11, 1, 23, 10, 20, 30, 456]) body.u16(part);
    return body.u64(START.ticks).u64(frequency).u32(pointerSize);
  };
  const begin = (name: string, objectVersion: number) => {
    const tag = version === 3 ? 4 : 5;
    out.u8(tag).u8(tag).u8(1).u32(objectVersion).u32(objectVersion).u32(name.length).raw(Buffer.from(name)).u8(6);
  };
  const block = (name: string, kind: number, body: Uint8Array) => {
    if (version >= 6) out.u32(body.length | (kind << 24)).raw(body);
    else {
      begin(name, version === 3 ? 1 : 2);
      out.u32(body.length).align4().raw(body).u8(6);
    }
  };
  if (version >= 6) {
    const body = traceStart().u32(2).varstring('Machine').varstring('test').varstring('ProcessId').varstring(`${pid}`);
    block('Trace', 1, body.done());
  } else {
    begin('Trace', version);
    out.raw(traceStart().u32(pid).u32(2).u32(0).done()).u8(6);
  }

  /** Rows of an event block; `isMetadata` for the metadata blocks of versions 4 and 5. */
  const rows = (events: readonly EventRow[], isMetadata: boolean): Uint8Array => {
    const body = new Bytes();
    if (version === 3) {
      for (const event of events) {
        const stack = event.stack ?? [];
        const payload = [...event.payload];
        while (payload.length % 4 !== 0) payload.push(0);
        const size = 52 + payload.length + 4 + stack.length * pointerSize;
        body.u32(size).u32(event.metadataId).u32(event.thread).u64(event.time).raw(new Uint8Array(32));
        body
          .u32(payload.length)
          .raw(payload)
          .u32(stack.length * pointerSize);
        for (const address of stack) body.pointer(address, pointerSize);
      }
      return body.done();
    }
    body
      .u16(20)
      .u16(compressed ? 1 : 0)
      .u64(Math.min(...events.map(({ time }) => time)))
      .u64(Math.max(...events.map(({ time }) => time)));
    if (!compressed) for (const event of events) fullRow(body, event, isMetadata);
    else compressedRows(body, events, isMetadata);
    return body.done();
  };
  const fullRow = (body: Bytes, event: EventRow, isMetadata: boolean) => {
    const header = version >= 6 ? 52 : 80;
    const padding = version >= 6 ? 0 : -event.payload.length & 3;
    body
      .u32(header - 4 + event.payload.length + padding)
      .u32(isMetadata ? 0 : event.metadataId)
      .u32(event.sequence);
    body.u64(event.thread).u64(event.capture).u32(1).u32(event.stackId).u64(event.time);
    body
      .raw(new Uint8Array(version >= 6 ? 4 : 32))
      .u32(event.payload.length)
      .raw(event.payload);
    body.raw(new Uint8Array(padding));
  };
  const compressedRows = (body: Bytes, events: readonly EventRow[], isMetadata: boolean) => {
    let last: EventRow = {
      metadataId: 0,
      sequence: 0,
      capture: 0,
      thread: 0,
      stackId: 0,
      time: 0,
      payload: new Uint8Array(0),
    };
    for (const [i, event] of events.entries()) {
      const metadataId = isMetadata ? 0 : event.metadataId;
      const inRow = !isMetadata && event.capture === last.capture && event.sequence === last.sequence + 1;
      const activity = i % 5 === 3;
      let flags = 0;
      if (metadataId !== last.metadataId) flags |= 1;
      if (!isMetadata && !inRow) flags |= 2;
      if (event.thread !== last.thread) flags |= 4;
      if (event.stackId !== last.stackId) flags |= 8;
      if (activity) flags |= version >= 6 ? 16 : 48;
      if (event.payload.length !== last.payload.length) flags |= 128;
      body.u8(flags);
      if (flags & 1) body.varuint(metadataId);
      if (flags & 2)
        body
          .varuint((event.sequence - last.sequence - 1) >>> 0)
          .varuint(event.capture)
          .varuint(1);
      if (flags & 4) body.varuint(event.thread);
      if (flags & 8) body.varuint(event.stackId);
      body.varuint(BigInt(event.time) - BigInt(last.time));
      if (activity && version >= 6) body.varuint(7);
      else if (activity) body.raw(new Uint8Array(32).fill(9));
      if (flags & 128) body.varuint(event.payload.length);
      body.raw(event.payload);
      last = {
        ...event,
        metadataId,
        sequence: isMetadata ? 0 : event.sequence,
        capture: isMetadata ? 0 : event.capture,
      };
    }
  };

  /** The fields and tags a real EventSource has: nested objects, arrays, an opcode. */
  const metadataRow = (
    id: number,
    provider: string,
    eventId: number,
    eventVersion: number,
    name: string,
  ): Uint8Array => {
    const body = new Bytes();
    if (version >= 6) {
      const fields = new Bytes().varstring('Numbers').u8(19).u8(9);
      const nested = new Bytes().varstring('D').u8(18);
      const object = new Bytes().varstring('C').u8(1).u16(1).u16(nested.length).raw(nested.done());
      const optional = new Bytes()
        .u8(1)
        .u8(3)
        .u8(3)
        .u64(0xffff)
        .u8(4)
        .varstring('{0}')
        .u8(6)
        .varstring('k')
        .varstring('v');
      optional.u8(7).raw(new Uint8Array(16)).u8(8).u8(5).u8(9).u8(eventVersion);
      body.varuint(id).varstring(provider).varuint(eventId).varstring(name).u16(2);
      body.u16(fields.length).raw(fields.done()).u16(object.length).raw(object.done());
      body.u16(optional.length).raw(optional.done()).raw([1, 2, 3]);
      return new Bytes().u16(body.length).raw(body.done()).done();
    }
    body.u32(id).utf16(provider).u32(eventId).utf16(name).u64(0xffff).u32(eventVersion).u32(5);
    if (version === 5) {
      const field = new Bytes().utf16('Numbers').u32(19).u32(9);
      const tag = new Bytes()
        .u32(1)
        .u32(field.length + 4)
        .raw(field.done());
      body.u32(0).u32(1).u8(1).u8(3).u32(tag.length).u8(2).raw(tag.done());
    } else body.u32(1).u32(1).u32(1).u32(9).utf16('X').utf16('C');
    return body.done();
  };
  const flushMetadata = () => {
    if (metadata.length === 0) return;
    const events = metadata.map(({ row }) => ({ ...NO_EVENT, payload: row }));
    if (version >= 6) {
      const body = new Bytes().u16(3).raw([7, 7, 7]);
      for (const { row } of metadata) body.raw(row);
      block('MetadataBlock', 3, body.done());
    } else if (version === 3) block('EventBlock', 2, rows(events, true));
    else block('MetadataBlock', 3, rows(events, true));
    metadata = [];
  };

  return {
    define(id: number, provider: string, eventId: number, eventVersion: number, name = '') {
      metadata.push({ id, row: metadataRow(id, provider, eventId, eventVersion, name) });
    },
    /** Stacks with ids from `first` on, addresses leaf first. Version 3 has no such block. */
    stacks(first: number, stacks: readonly (readonly number[])[]) {
      if (version === 3) return;
      const body = new Bytes().u32(first).u32(stacks.length);
      for (const stack of stacks) {
        body.u32(stack.length * pointerSize);
        for (const address of stack) body.pointer(address, pointerSize);
      }
      block('StackBlock', 5, body.done());
    },
    events(events: readonly EventRow[]) {
      flushMetadata();
      block('EventBlock', 2, rows(events, false));
    },
    sequencePoint(time: number, threads: readonly { thread: number; sequence: number }[], flags = 0) {
      if (version === 3) return;
      const body = new Bytes().u64(time);
      if (version >= 6) body.u32(flags);
      body.u32(threads.length);
      for (const { thread, sequence } of threads) {
        if (version >= 6) body.varuint(thread).varuint(sequence);
        else body.u64(thread).u32(sequence);
      }
      block('SPBlock', 4, body.done());
    },
    /** Version 6 only. */
    threads(threads: readonly { index: number; osId: number; pid: number; name: string }[]) {
      const body = new Bytes();
      for (const { index, osId, pid: owner, name } of threads) {
        const row = new Bytes().varuint(index).u8(1).varstring(name).u8(4).varstring('k').varstring('v');
        row.u8(2).varuint(owner).u8(3).varuint(osId);
        body.u16(row.length).raw(row.done());
      }
      block('', 6, body.done());
    },
    removeThreads(threads: readonly { index: number; sequence: number }[]) {
      const body = new Bytes();
      for (const { index, sequence } of threads) body.varuint(index).varuint(sequence);
      block('', 7, body.done());
    },
    /** A block of a kind that nobody knows. */
    unknownBlock() {
      block('FutureBlock', 99, Uint8Array.of(1, 2, 3, 4, 5));
    },
    rawBlock(name: string, kind: number, body: Uint8Array) {
      block(name, kind, body);
    },
    end() {
      if (version >= 6) out.u32(0);
      else out.u8(1);
    },
    bytes: () => out.done(),
    /** Instead of `bytes`: what was written since it was taken last. */
    take: () => out.take(),
  };
}

const NO_EVENT: EventRow = {
  metadataId: 0,
  sequence: 0,
  capture: 0,
  thread: 0,
  stackId: 0,
  time: 0,
  payload: new Uint8Array(0),
};

export const RUNTIME = 'Microsoft-Windows-DotNETRuntime';
export const RUNDOWN = 'Microsoft-Windows-DotNETRuntimeRundown';

export function tickPayload(
  version: number,
  pointerSize: number,
  tick: { kind: number; amount: number; typeId: number; typeName: string; size: number },
): Uint8Array {
  const body = new Bytes().u32(tick.amount).u32(tick.kind);
  if (version >= 1) body.u16(8);
  if (version >= 2) body.u64(tick.amount).pointer(tick.typeId, pointerSize).utf16(tick.typeName).u32(0);
  if (version >= 3) body.pointer(0x1234_5678, pointerSize);
  if (version >= 4) body.u64(tick.size);
  return body.done();
}
