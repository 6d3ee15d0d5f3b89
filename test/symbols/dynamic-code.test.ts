import { describe, expect, test } from 'vitest';
import { emptyBundle } from '../../src/symbols/bundle.ts';
import type { CodeBody, LoadedModule } from '../../src/symbols/code.ts';
import { createResolver } from '../../src/symbols/resolve.ts';

const AT = 0x7f0000001000;

function resolved(path: string, origin: CodeBody['origin']) {
  const forever = { from: 0, to: Number.POSITIVE_INFINITY };
  const module: LoadedModule = { moduleId: 7, path, ...forever, pdbGuid: '', pdbAge: 0, pdbPath: '' };
  const method = { namespace: 'dynamicClass', name: 'lambda_method2', signature: '', token: 0x06000000 };
  const ids = { methodId: 1, rejitId: 0, moduleId: 7 };
  const body: CodeBody = { start: AT, size: 64, ...forever, ...ids, ...method, origin, optimized: true };
  const code = { pid: 1, code: [body], modules: [module], images: [], native: [] };
  return createResolver(code, emptyBundle()).resolve(AT + 32, 1, false)[0];
}

describe('a dynamic method', () => {
  test('is code without a file, also where its module has a name in the place of a path', () => {
    for (const path of ['', 'Anonymously Hosted DynamicMethods Assembly']) {
      expect(resolved(path, 'dynamic')).toMatchObject({
        functionName: 'lambda_method2 (dynamic method)',
        moduleName: '[dynamic code]',
        modulePath: '',
        system: true,
      });
    }
  });

  test('that was made for a module of the user is its', () => {
    expect(resolved('/app/Shop.dll', 'dynamic')).toMatchObject({ moduleName: 'Shop', modulePath: '/app/Shop.dll' });
  });
});
