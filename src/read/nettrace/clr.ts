import { allocationSampled, allocationTick, bulkType, sampledObject } from './allocations.ts';
import {
  domainModuleLoad,
  domainModuleRundown,
  ilMap,
  methodLoad,
  methodLoadVerbose,
  methodRundown,
  methodRundownVerbose,
  methodUnload,
  moduleLoad,
  moduleRundown,
  moduleUnload,
  readyToRunEntryPoint,
} from './code.ts';
import type { EventHandler } from './event.ts';
import {
  dynamicGcEvent,
  gcEnd,
  gcStart,
  heapSizeOnly,
  heapStats,
  perHeapHistory,
  restartEnd,
  suspendBegin,
} from './gc.ts';
import { processInfo, runtimeInformation } from './runtime.ts';

/** Which event is read by what; ids from dotnet/runtime src/coreclr/vm/ClrEtwAll.man. Unknown events are only counted. */
export function handlerOf(provider: string, id: number, version: number): EventHandler | undefined {
  if (provider === 'Microsoft-Windows-DotNETRuntime') return RUNTIME[id]?.(version);
  if (provider === 'Microsoft-Windows-DotNETRuntimeRundown') return RUNDOWN[id];
  if (provider === 'Microsoft-DotNETCore-EventPipe' && id === 1) return processInfo;
  return undefined;
}

/** The events of a summary: heap sizes only. */
export function summaryHandlerOf(provider: string, id: number, version: number): EventHandler | undefined {
  return provider === 'Microsoft-Windows-DotNETRuntime' && id === 4 ? heapSizeOnly(version) : undefined;
}

const RUNTIME: Readonly<Record<number, (version: number) => EventHandler | undefined>> = {
  1: gcStart,
  2: gcEnd,
  3: () => restartEnd,
  4: heapStats,
  9: suspendBegin,
  10: allocationTick,
  15: () => bulkType,
  20: () => sampledObject,
  32: () => sampledObject,
  39: () => dynamicGcEvent,
  141: () => methodLoad,
  142: () => methodUnload,
  143: () => methodLoadVerbose,
  144: () => methodUnload,
  151: () => domainModuleLoad,
  152: () => moduleLoad,
  153: () => moduleUnload,
  159: () => readyToRunEntryPoint,
  187: () => runtimeInformation,
  190: () => ilMap,
  204: perHeapHistory,
  303: () => allocationSampled,
};

/** Start and end rundowns list the same things; "DC" in the names stands for "data collection". */
const RUNDOWN: Readonly<Record<number, EventHandler>> = {
  141: methodRundown,
  142: methodRundown,
  143: methodRundownVerbose,
  144: methodRundownVerbose,
  149: ilMap,
  150: ilMap,
  151: domainModuleRundown,
  152: domainModuleRundown,
  153: moduleRundown,
  154: moduleRundown,
  187: runtimeInformation,
};
