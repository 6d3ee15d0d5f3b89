import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Metadata } from '../../src/symbols/metadata.ts';
import { lacksOuterTypes, withOuterTypes } from '../../src/symbols/nested-types.ts';
import { ask, memsurge, scratchFolder } from '../support/memsurge.ts';
import { samplePath } from '../support/samples.ts';

/** Only what the question needs: nested types by simple name. */
const metadata = (nested: Record<string, string[]>) =>
  ({ nestedTypes: (name: string) => nested[name] ?? [] }) as unknown as Metadata;

describe('names of nested types', () => {
  test('are told from whole names', () => {
    for (const cut of ['Entry[System.String,System.Double][]', 'Order', 'Node`1[System.Int32]', '<>c']) {
      expect(lacksOuterTypes(cut), cut).toBe(true);
    }
    for (const whole of ['System.Byte[]', 'A.B`1[C.D]', 'A+B']) expect(lacksOuterTypes(whole), whole).toBe(false);
  });

  test('come from the type around the allocating method, or around that', () => {
    const library = metadata({ Entry: ['Ns.Map`2+Entry', 'Ns.Set`1+Entry'] });
    const sites = [
      { type: 'Ns.Set`1+Enumerator[System.Int32]', metadata: library },
      { type: 'Ns.Set`1[System.Int32]', metadata: library },
      { type: 'Other.Program', metadata: undefined },
    ];
    expect(withOuterTypes('Entry[System.Int32][]', sites, [library])).toBe('Ns.Set`1+Entry[System.Int32][]');
  });

  test('come from the only one in the allocating module, and stay as they are when there are several', () => {
    const one = metadata({ Order: ['Shop.Orders+Order'] });
    expect(withOuterTypes('Order', [{ type: 'Shop.Program', metadata: one }], [one])).toBe('Shop.Orders+Order');
    const two = metadata({ Order: ['Shop.Orders+Order', 'Shop.Returns+Order'] });
    expect(withOuterTypes('Order', [{ type: 'Shop.Program', metadata: two }], [two])).toBeUndefined();
    expect(withOuterTypes('Order', [{ type: 'Shop.Program', metadata: one }], [])).toBeUndefined();
  });
});

describe('story 1', () => {
  let names: string[];
  beforeAll(async () => {
    const trace = join(await scratchFolder(), 'story1.memsurge');
    await memsurge('run', '-o', trace, '--', samplePath('story1'), '--size', '1', '--delay', '60');
    names = (await ask('top', trace, '--by', 'type', '--limit', '1000')).rows.map((row) => row.name);
  });

  test('shows nested types of the program and of the framework with their outer types', () => {
    expect(names).toContain('CustomerService.Orders.Order');
    expect(names).toContain('System.Collections.Generic.Dictionary<System.String, System.Double>.Entry[]');
  });
});
