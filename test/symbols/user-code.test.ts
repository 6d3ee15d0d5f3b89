import { expect, test } from 'vitest';
import { isSystemModule, moduleName } from '../../src/symbols/user-code.ts';

test.each([
  ['/usr/share/dotnet/shared/Microsoft.NETCore.App/10.0.12/System.Linq.dll', '', true],
  ['/usr/share/dotnet/shared/Microsoft.AspNetCore.App/10.0.12/Anything.dll', '', true],
  ['/app/System.Linq.dll', 'b03f5f7f11d50a3a', true],
  ['/app/System.Private.CoreLib.dll', '7cec85d7bea7798e', true],
  ['/app/System.Private.CoreLib.dll', '', true],
  ['/app/Microsoft.AspNetCore.Http.dll', 'adb9793829ddae60', true],
  ['/app/netstandard.dll', 'cc7b13ffcd2ddd51', true],
  ['/app/Microsoft.MyTeam.dll', '', false],
  ['/app/System.Mine.dll', '', false],
  ['/app/System.Mine.dll', '0123456789abcdef', false],
  ['/app/Systematic.dll', 'b03f5f7f11d50a3a', false],
  ['/usr/share/dotnet/sdk/10.0.401/MSBuild.dll', 'b03f5f7f11d50a3a', false],
  ['/usr/share/dotnet/sdk/10.0.401/Roslyn/bincore/Microsoft.CodeAnalysis.dll', '31bf3856ad364e35', false],
  ['/app/shared/Shop.App/Shop.dll', '', false],
])('%s signed with "%s"', (path, publicKeyToken, system) => {
  expect(isSystemModule({ path, name: moduleName(path), publicKeyToken })).toBe(system);
});
