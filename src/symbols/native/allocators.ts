import { qualifiedName } from './qualified-name.ts';

/**
 * True for a frame that only hands out memory, so that an allocation belongs to the function above it: the allocators of
 * C, C++, GLib, Rust, CPython and HotSpot, and what C++ and Rust put between them and the code that asks. To be asked from the innermost
 * frame outwards, up to the first that is none. What containers do with the memory (`std::vector::push_back`,
 * `_M_realloc_insert`) is told, and so are a program's own wrappers (`xmalloc`, a class's own `operator new`).
 * @param name of the function as `NativeFrame` has it, with or without arguments
 * @param module file name or path of its image: allocators in libraries of their own are known by it
 */
export function allocatorFrame(name: string, module = ''): boolean {
  const library = module.slice(module.lastIndexOf('/') + 1);
  if (allocatorOf(name, library) !== undefined) return true;
  if (C_ALLOCATORS.has(name) || RUST_ALLOCATORS.test(name)) return true;
  if (library === 'libjvm.so' && HOTSPOT_ALLOCATORS.test(name)) return true;
  if (/^libc[.-]/.test(library) && LIBC_INTERNALS.has(name)) return true;
  const path = qualifiedName(name.replace(/\[abi:\w+\]/g, ''));
  return path === 'operator new' || path === 'operator new[]' || isStandardAllocation(path);
}

/** The replacement of malloc whose own code a frame is, in its library or linked into a program; undefined: none. */
export function allocatorOf(name: string, module = ''): string | undefined {
  const library = ALLOCATOR_LIBRARIES.exec(module.slice(module.lastIndexOf('/') + 1))?.[1];
  if (library !== undefined) return library;
  return ALLOCATOR_CODE.find(([, code]) => code.test(name))?.[0];
}

/** Names that they give their functions; those without a prefix are where they map. */
const ALLOCATOR_CODE: readonly (readonly [string, RegExp])[] = [
  ['jemalloc', /^(je_|_rjem_|os_pages_map\b|pages_map\b|fallback_impl<(true|false)>)/],
  ['mimalloc', /^(_?mi_|unix_mmap(_prim\w*)?\b)/],
  [
    'tcmalloc',
    /^(TCMalloc_|tcmalloc::|tc_(malloc|calloc|realloc|new)|(\(anonymous namespace\)::)?(Mmap|Sbrk|Default)SysAllocator::)/,
  ],
  ['snmalloc', /^snmalloc::/],
];

const ALLOCATOR_LIBRARIES = /^lib(jemalloc|tcmalloc|mimalloc|snmalloc|hoard)(shim)?([-_][a-z]\w*)*[-.\d]*\.so/;

const C_ALLOCATORS = new Set(
  [
    'malloc calloc realloc reallocarray memalign aligned_alloc posix_memalign valloc pvalloc',
    '__libc_malloc __libc_calloc __libc_realloc __libc_reallocarray __libc_memalign __libc_valloc __libc_pvalloc',
    '__posix_memalign __aligned_alloc',
    'g_malloc g_malloc0 g_malloc_n g_malloc0_n g_realloc g_realloc_n g_aligned_alloc g_aligned_alloc0',
    'g_try_malloc g_try_malloc0 g_try_malloc_n g_try_malloc0_n g_try_realloc g_try_realloc_n',
    'g_slice_alloc g_slice_alloc0',
    'PyMem_Malloc PyMem_Calloc PyMem_Realloc PyMem_RawMalloc PyMem_RawCalloc PyMem_RawRealloc',
    '_PyMem_RawMalloc _PyMem_RawCalloc _PyMem_RawRealloc PyObject_Malloc PyObject_Calloc PyObject_Realloc',
    '_PyObject_Malloc _PyObject_Calloc _PyObject_Realloc pymalloc_alloc pymalloc_realloc',
  ].flatMap((line) => line.split(' ')),
);

/** Of Java's HotSpot, in C++. */
const HOTSPOT_ALLOCATORS =
  /^(os::(malloc|realloc)|AllocateHeap|ReallocateHeap|Arena::(grow|Amalloc\w*)|ChunkPool::allocate\w*)\(/;

/** Of glibc: where its heap takes memory from the system. */
const LIBC_INTERNALS = new Set(
  (
    '_int_malloc _int_realloc _int_memalign _mid_memalign sysmalloc sysmalloc_mmap alloc_perturb malloc_consolidate ' +
    'ptmalloc_init arena_get2 _int_new_arena new_heap alloc_new_heap grow_heap tcache_init tcache_key_initialize ' +
    'malloc_hook_ini realloc_hook_ini memalign_hook_ini __malloc_info mremap_chunk __default_morecore'
  ).split(' '),
);

/** Both ways Rust writes a method: `alloc::raw_vec::RawVec<T,A>::grow_one`, `<alloc::raw_vec::RawVec<T>>::grow_one`. */
const RUST_ALLOCATORS =
  /^(__rustc::)?(__rust|__rdl|__rg)_(alloc|alloc_zeroed|realloc)$|^<?alloc::(alloc|raw_vec)::|^<std::alloc::System as |^<?std::sys::(\w+::)*alloc::/;

/** Members of the standard library's own classes that do nothing but get memory. */
const STANDARD_MEMBERS = new Set(
  (
    'allocate allocate_at_least do_allocate _M_allocate _M_create _S_create _S_allocate _M_create_storage ' +
    '_M_create_node _M_get_node _M_allocate_node _M_allocate_buckets _M_allocate_map _M_allocate_and_copy ' +
    '__allocate_guarded __allocate __allocate_at_least __libcpp_allocate __libcpp_operator_new __construct_node ' +
    'make_unique make_unique_for_overwrite make_shared make_shared_for_overwrite allocate_shared ' +
    'allocate_shared_for_overwrite __allocate_shared get_temporary_buffer __get_temporary_buffer'
  ).split(' '),
);

/** Their constructors allocate the counters of a shared pointer, with `make_shared` the object too. */
const SHARED_POINTERS = new Set(['shared_ptr', '__shared_ptr', '__shared_count']);

function isStandardAllocation(path: string): boolean {
  const parts = path.split('::');
  if (parts[0] !== 'std' && parts[0] !== '__gnu_cxx') return false;
  const name = parts.at(-1)!;
  if (STANDARD_MEMBERS.has(name)) return true;
  return SHARED_POINTERS.has(name) && parts.at(-2) === name;
}
