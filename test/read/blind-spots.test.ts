import { describe, expect, test } from 'vitest';
import type { ProcessInput, RecordingFacts } from '../../src/read/assemble.ts';
import { always, missingOf, unnamed } from '../../src/read/blind-spots.ts';
import type { ProcessCapture } from '../../src/read/nettrace/capture.ts';
import { NATIVE_KINDS } from '../../src/trace/kinds.ts';

const capture = (rest: Partial<ProcessCapture> = {}): ProcessCapture =>
  ({
    allocationSource: 'allocation-sampled',
    allocations: { stack: Int32Array.of(0) },
    types: [{ name: 'System.Byte[]', handle: 1 }],
    modules: [{ path: '/usr/lib/dotnet/shared/Microsoft.NETCore.App/10.0.1/System.Private.CoreLib.dll' }],
    code: [],
    isWhole: true,
    ...rest,
  }) as unknown as ProcessCapture;
const CORECLR = { path: '/usr/lib/dotnet/shared/Microsoft.NETCore.App/10.0.1/libcoreclr.so' };
const NATIVE = { capture: { modules: [] } };

function missing(rest: object, facts: Partial<RecordingFacts> = {}): string[] {
  const process = {
    capture: undefined,
    runtime: '',
    images: [],
    native: [NATIVE],
    diagnosticsOff: '',
    blindSpots: [],
    ...rest,
  };
  const all = { source: 'memsurge', blindSpots: [], ...facts };
  return missingOf(process as unknown as ProcessInput, all as unknown as RecordingFacts).map(({ text }) => text);
}

describe('managed memory that is missing', () => {
  test('of a runtime that never connected, with the reason where it is known', () => {
    expect(missing({})).toEqual([]); // no .NET program
    expect(missing({ images: [CORECLR], native: [] }, { isUnfinished: true })).toEqual([
      expect.stringMatching(/^native memory was not recorded: the recording was not finished/),
      expect.stringMatching(/^no managed memory was recorded: the recording was not finished/),
    ]);
    expect(missing({ images: [CORECLR] }).join()).toContain('its .NET runtime did not connect');
    expect(missing({ native: [{ capture: { modules: [CORECLR] } }] }).join()).toContain('did not connect');
    expect(missing({ images: [CORECLR], diagnosticsOff: 'DOTNET_EnableDiagnostics=0' }).join()).toContain(
      'DOTNET_EnableDiagnostics=0 in its environment keeps its .NET runtime from telling anything',
    );
    expect(missing({ images: [CORECLR] }, { preview: true })).toEqual([]);
  });

  test('of one that connected', () => {
    expect(missing({ runtime: '.NET 10.0.1', capture: capture() })).toEqual([]);
    expect(missing({ runtime: '.NET 10.0.1' }).join()).toContain('nothing that its runtime told can be read');
    const none = { runtime: '.NET 10.0.1', capture: capture({ allocationSource: 'none' }) };
    expect(missing(none).join()).toContain('none of its allocations was sampled');
    const lost = { ...none, capture: capture({ allocationSource: 'none', isWhole: false }) };
    expect(missing(lost).join()).toContain('its allocation events were lost, or are damaged');
    expect(missing(none, { source: 'nettrace' }).join()).toContain('no allocation events');
  });

  test('of a program compiled ahead of time: neither types nor stacks', () => {
    const types = [{ name: 'NULL', handle: 4096 }];
    const stackless = {
      allocations: { stack: Int32Array.of(-1, -1) } as unknown as ProcessCapture['allocations'],
      types,
    };
    expect(missing({ capture: capture({ ...stackless, modules: [] }) }).join()).toContain('NativeAOT');
    expect(missing({ capture: capture(stackless) })).toEqual([]);
    expect(missing({ capture: capture({ ...stackless, modules: [], types: [{ name: 'T', handle: 1 }] }) })).toEqual([]);
  });
});

test('native memory that is missing is said once', () => {
  expect(missing({ native: [] })).toEqual(['native memory was not recorded: no agent began in it']);
  expect(missing({ native: [] }, { blindSpots: [always('absent', NATIVE_KINDS, '--native off')] })).toEqual([]);
});

test('frames without a name: the share of frames, that of bytes, and why', () => {
  const counted = { frames: 1000, unresolved: 400, bytes: 2000, bytesUnnamed: 500 };
  expect(unnamed(capture(), { ...counted, unresolved: 9 })).toEqual([]);
  expect(unnamed(capture(), counted).map(({ text }) => text)).toEqual([
    '40.0 % of the frames of managed stacks have no name, and so have the functions that allocated 25.0 % of the bytes: the trace holds no events that name methods (no rundown)',
  ]);
  const named = capture({ code: [{}] as unknown as ProcessCapture['code'] });
  expect(unnamed(named, counted)[0].text).toContain('their code was not reported, or its image could not be read');
});
