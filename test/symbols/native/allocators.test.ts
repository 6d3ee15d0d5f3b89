import { expect, test } from 'vitest';
import { allocatorFrame } from '../../../src/symbols/native/allocators.ts';

const ALLOCATORS = [
  'malloc',
  'calloc',
  'realloc',
  'posix_memalign',
  '__libc_memalign',
  'operator new(unsigned long)',
  'operator new[](unsigned long, std::align_val_t, std::nothrow_t const&)',
  'operator new',
  'operator new[]',
  'std::allocator<int>::allocate(unsigned long)',
  'std::__new_allocator<std::pair<int const, char> >::allocate',
  '__gnu_cxx::new_allocator<char>::allocate(unsigned long, void const*)',
  'std::allocator_traits<std::allocator<std::_List_node<Foo> > >::allocate(std::allocator<std::_List_node<Foo> >&, unsigned long)',
  'std::_Vector_base<int, std::allocator<int> >::_M_allocate(unsigned long)',
  'std::__detail::_Hashtable_alloc<std::allocator<std::__detail::_Hash_node<int, false> > >::_M_allocate_node<int const&>(int const&)',
  'std::_Rb_tree<int, int, std::_Identity<int>, std::less<int>, std::allocator<int> >::_M_create_node<int>(int&&)',
  'std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_create(unsigned long&, unsigned long)',
  'std::string::_Rep::_S_create(unsigned long, unsigned long, std::allocator<char> const&)',
  'std::make_unique<geometry::(anonymous namespace)::Square>',
  'std::make_shared<Foo, int (&)(char)>(int (&)(char))',
  'std::__shared_count<(__gnu_cxx::_Lock_policy)2>::__shared_count<Foo, std::allocator<void>>(Foo*&, std::_Sp_alloc_shared_tag<std::allocator<void>>)',
  'std::__1::allocator<Foo>::allocate[abi:v15006](unsigned long)',
  'std::__1::__libcpp_operator_new<unsigned long>(unsigned long)',
  'std::pmr::polymorphic_allocator<std::byte>::allocate(unsigned long)',
  '__rust_alloc',
  '__rustc::__rust_realloc',
  '__rdl_alloc',
  'alloc::alloc::exchange_malloc',
  '<alloc::alloc::Global as core::alloc::Allocator>::allocate',
  'alloc::raw_vec::RawVec<T,A>::grow_one',
  '<alloc::raw_vec::RawVec<u64>>::grow_one',
  'alloc::raw_vec::finish_grow',
  'g_malloc',
  '_PyObject_Malloc',
  'g_try_realloc_n',
];

const OTHERS = [
  'main',
  '',
  'xmalloc',
  'xmalloc(unsigned long)',
  'my_malloc',
  'Foo::malloc(int)',
  'Pool::allocate(unsigned long)',
  'Foo::operator new(unsigned long)',
  'geometry::std_like::allocate(int)',
  'std::vector<int, std::allocator<int> >::push_back(int const&)',
  'std::vector<int, std::allocator<int> >::_M_realloc_insert<int>(__gnu_cxx::__normal_iterator<int*, std::vector<int> >, int&&)',
  'std::function<int (Foo const&)>::operator()(Foo const&) const',
  'std::_Function_handler<void (), main::{lambda()#1}>::_M_invoke(std::_Any_data const&)',
  'std::operator<< <std::char_traits<char> >(std::ostream&, char const*)',
  'std::thread::thread<void (&)()>(void (&)())',
  'std::unique_ptr<Foo, std::default_delete<Foo> >::~unique_ptr()',
  'use(std::allocator<int>::allocate)',
  'wrap<&std::allocator<int>::allocate>(int)',
  'alloc::vec::Vec<T,A>::push',
  'myalloc::alloc::alloc',
  'strdup',
  'g_strdup',
  'g_object_new',
];

test.each(ALLOCATORS)('folded: %s', (name) => {
  expect(allocatorFrame(name, '/app/program')).toBe(true);
});

test.each(OTHERS)('kept: %s', (name) => {
  expect(allocatorFrame(name, '/app/program')).toBe(false);
});

test('an allocator in a library of its own is folded as a whole, the C library only where it allocates', () => {
  expect(allocatorFrame('je_arena_malloc_hard', '/usr/lib/libjemalloc.so.2')).toBe(true);
  expect(allocatorFrame('', '/opt/lib/libtcmalloc_minimal.so.4.5.9')).toBe(true);
  expect(allocatorFrame('sysmalloc', '/usr/lib/x86_64-linux-gnu/libc.so.6')).toBe(true);
  expect(allocatorFrame('_int_malloc', '/lib/libc-2.31.so')).toBe(true);
  expect(allocatorFrame('sysmalloc', '/app/program')).toBe(false);
  expect(allocatorFrame('fopen', '/usr/lib/x86_64-linux-gnu/libc.so.6')).toBe(false);
  expect(allocatorFrame('start', '/app/libjemallocator.so')).toBe(false);
  expect(allocatorFrame('os::malloc(unsigned long, MEMFLAGS)', '/usr/lib/jvm/lib/server/libjvm.so')).toBe(true);
  expect(allocatorFrame('os::malloc(unsigned long)', '/app/os.so')).toBe(false);
});
