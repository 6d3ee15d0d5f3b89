import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { collectTracing, decodeProcessInfo, encodeCollect } from '../../src/record/diagnostics/commands.ts';
import { endpointConnect } from '../../src/record/diagnostics/endpoint.ts';
import { encodeMessage, IpcError, payloadWriter } from '../../src/record/diagnostics/ipc.ts';
import { decodeAdvertise, openReversePort } from '../../src/record/diagnostics/reverse-port.ts';
import { scratchFolder, until } from '../support/memsurge.ts';

const REQUEST = {
  providers: [{ name: 'P', keywords: 0x80000000001, level: 4, eventIds: [4, 303] }],
  bufferMegabytes: 256,
  rundown: 0x20138,
  stacks: false,
};
/** "P" with its NUL, and an empty filter. */
const NAME_AND_FILTER = '02000000' + '50000000' + '00000000';
const PROVIDER = `${'01000000' + '0100000000080000' + '04000000'}${NAME_AND_FILTER}`;

describe('messages', () => {
  test('a header is the magic, the whole size, set and id', () => {
    const message = encodeMessage(4, 1, Buffer.from([9]));
    expect(message.toString('latin1', 0, 14)).toBe('DOTNET_IPC_V1\0');
    expect([...message.subarray(14)]).toEqual([21, 0, 4, 1, 0, 0, 9]);
  });

  test.each([
    [1, `0001000001000000${PROVIDER}`],
    [2, `000100000100000001${PROVIDER}`],
    [3, `00010000010000000100${PROVIDER}`],
    [4, `0001000001000000380102000000000000${PROVIDER}`],
    [5, `000000000001000001000000380102000000000000${PROVIDER}0102000000040000002f010000`],
  ])('CollectTracing %i as the protocol lays it out', (version, hex) => {
    expect(encodeCollect(version, REQUEST).toString('hex')).toBe(hex);
  });

  test('a process says who it is', () => {
    const payload = payloadWriter();
    payload.u32(1);
    payload.id(4711n);
    for (const byte of Buffer.from('00112233445566778899aabbccddeeff', 'hex')) payload.u8(byte);
    for (const text of ['/app/shop --x', 'linux', 'x64', 'shop', '10.0.12', 'linux-x64']) payload.text(text);
    expect(decodeProcessInfo(payload.finish(), 3)).toEqual({
      pid: 4711,
      cookie: '00112233445566778899aabbccddeeff',
      commandLine: '/app/shop --x',
      entryAssembly: 'shop',
      runtimeVersion: '10.0.12',
    });
  });

  test('what is no advertisement is refused', () => {
    expect(() => decodeAdvertise(Buffer.alloc(34))).toThrow('ADVR_V1');
    expect(() => decodeAdvertise(Buffer.from('ADVR_V1\0short', 'latin1'))).toThrow('ADVR_V1');
  });
});

describe('against a socket that answers like a runtime', async () => {
  const folder = await scratchFolder();
  const servers: Server[] = [];
  let number = 0;

  /** Answers each command with what `answer` makes of set and id; undefined closes the connection. */
  async function runtime(answer: (set: number, id: number) => Buffer | undefined): Promise<string> {
    const path = join(folder, `s${number++}`);
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => {
        const reply = answer(data[16], data[17]);
        if (reply === undefined) socket.destroy();
        else socket.write(reply);
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  }

  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  const error = (code: number) => {
    const payload = Buffer.alloc(4);
    payload.writeUInt32LE(code);
    return encodeMessage(0xff, 0xff, payload);
  };

  test('a command it does not know falls back to the one before, and the stream follows the answer', async () => {
    const asked: number[] = [];
    const path = await runtime((_, id) => {
      asked.push(id);
      if (id > 3) return error(0x80131385);
      return Buffer.concat([encodeMessage(0xff, 0, Buffer.from('2a00000000000000', 'hex')), Buffer.from('Nettrace')]);
    });
    const session = await collectTracing(endpointConnect(path), REQUEST);
    expect(asked).toEqual([6, 5, 4, 3]);
    expect(session.id).toBe(42n);
    await until(() => session.stream.readableLength > 0);
    expect(String(session.stream.read())).toBe('Nettrace');
    session.stream.destroy();
  });

  test('another error is not tried again, and is named in words', async () => {
    let asked = 0;
    const path = await runtime(() => {
      asked++;
      return error(0x80004005);
    });
    await expect(collectTracing(endpointConnect(path), REQUEST)).rejects.toThrow('the runtime failed to carry out');
    await expect(collectTracing(endpointConnect(path), REQUEST)).rejects.toBeInstanceOf(IpcError);
    expect(asked).toBe(2);
  });

  test('a process that goes away in the middle is an error, not a hang', async () => {
    const path = await runtime(() => undefined);
    await expect(collectTracing(endpointConnect(path), REQUEST)).rejects.toThrow('closed the connection');
  });

  test('connections to the port that are no runtime do no harm', async () => {
    const path = join(folder, 'port');
    const server = createServer();
    const seen: number[] = [];
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const port = openReversePort(server, (one) => seen.push(one.pid));
    const speak = async (bytes: Buffer): Promise<Socket> => {
      const socket = await endpointConnect(path)();
      socket.write(bytes);
      return socket;
    };
    const advertise = Buffer.alloc(34);
    advertise.write('ADVR_V1\0', 'latin1');
    advertise.writeUInt32LE(77, 24);

    const noise = await speak(Buffer.from('GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n'));
    await until(() => noise.resume() && noise.destroyed);
    const sockets = [await speak(advertise), await speak(advertise)];
    await until(() => seen.length > 0);
    port.close();
    await until(() => sockets.every((socket) => socket.resume() && socket.destroyed));
    expect(seen).toEqual([77]);
  });
});
