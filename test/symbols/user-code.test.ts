import { expect, test } from 'vitest';
import { isLanguageCode, isSystemModule, moduleName } from '../../src/symbols/user-code.ts';

test.each([
  ['/usr/share/dotnet/shared/Microsoft.NETCore.App/10.0.12/System.Linq.dll', '', true],
  ['/usr/share/dotnet/shared/Microsoft.AspNetCore.App/10.0.12/Anything.dll', '', true],
  ['/app/System.Linq.dll', 'b03f5f7f11d50a3a', true],
  ['/app/System.Private.CoreLib.dll', '7cec85d7bea7798e', true],
  ['/app/System.Private.CoreLib.dll', '', true],
  ['/app/Microsoft.AspNetCore.Http.dll', 'adb9793829ddae60', true],
  ['/app/FSharp.Core.dll', 'b03f5f7f11d50a3a', true],
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

test.each([
  ['void std::vector<int, std::allocator<int> >::_M_realloc_insert<int const&>(int*, int const&)', '', true],
  ['std::unique_ptr<Shop> makeShop<int>(int)', '', false],
  ['boost::circular_buffer<int>::set_capacity(unsigned long)', '/usr/include/boost/circular_buffer/base.hpp', true],
  ['std::rt::lang_start_internal', '', true],
  ['alloc::vec::Vec<T,A>::with_capacity_in', '/rustc/90b35a6/library/alloc/src/vec/mod.rs', true],
  ['<shop::Order as core::fmt::Display>::fmt', '/home/me/shop/src/order.rs', false],
  ['core::Engine::start()', '/home/me/core/engine.cpp', false],
  ['stdio::write(int)', '', false],
  ['IL_STUB_PInvoke (runtime stub)', '', true],
  ['Shop.IL_STUB_Maker.Make', '', false],
])('%s from "%s" is code of a language: %s', (name, file, expected) => {
  expect(isLanguageCode(name, file)).toBe(expected);
});
