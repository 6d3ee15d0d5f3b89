import { qualifiedName } from './native/qualified-name.ts';

/** What is known of a module when deciding whose code it is. */
export interface ModuleIdentity {
  readonly path: string;
  /** Simple name, for example "System.Text.Json". */
  readonly name: string;
  /** 16 hex digits of the assembly's strong name; empty when it has none or could not be read. */
  readonly publicKeyToken: string;
}

/** Keys that Microsoft signs the runtime, its framework and its packages with. */
const FRAMEWORK_KEYS = new Set([
  'b77a5c561934e089',
  'b03f5f7f11d50a3a',
  'cc7b13ffcd2ddd51',
  '7cec85d7bea7798e',
  'adb9793829ddae60',
  '31bf3856ad364e35',
]);

/** Names in the shared frameworks' own folders, and the library of F#. Roslyn, MSBuild and NuGet carry the same keys but not such names. */
const FRAMEWORK_NAMES =
  /^(System|mscorlib|netstandard|WindowsBase|FSharp\.Core|Microsoft\.(CSharp|VisualBasic(\.Core)?|Win32|AspNetCore|Extensions|JSInterop|Net\.Http\.Headers))(\.|$)/;

/**
 * True when a module belongs to the runtime or its framework rather than to the user's program:
 * - it lies in a shared framework's folder, `…/shared/Microsoft.NETCore.App/10.0.0/`; or
 * - beside the app (self-contained) or from a package, and both its name and its key are the framework's. A user's own
 *   `Microsoft.MyTeam.dll` has neither, a user's `System.Mine.dll` not the key.
 * Compilers and build tools in the SDK are programs like any other: recording `dotnet build`, MSBuild is the user code.
 */
export function isSystemModule(module: ModuleIdentity): boolean {
  if (liesInSharedFramework(module.path)) return true;
  if (module.publicKeyToken === '') return /^System\.Private\./.test(module.name);
  return FRAMEWORK_KEYS.has(module.publicKeyToken) && FRAMEWORK_NAMES.test(module.name);
}

/** True for a path like `…/shared/Microsoft.NETCore.App/10.0.0/System.Linq.dll`. */
export function liesInSharedFramework(path: string): boolean {
  return /\/shared\/[^/]+\.App\/[^/]+\/[^/]+$/.test(path);
}

/** Simple name of a module's file: "/app/Shop.dll" is "Shop"; native libraries keep their whole name. */
export function moduleName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.(dll|exe)$/i, '');
}

/** Libraries of C and C++ themselves, wherever they lie. */
const LANGUAGE_LIBRARIES =
  /^(libc|libm|libpthread|libdl|libstdc\+\+|libgcc_s|libc\+\+(abi)?|ld-linux-[\w-]+)\.so(\.|$)/;

/** Native libraries that come with the runtime, wherever they lie (self-contained apps carry them along). */
const RUNTIME_LIBRARIES =
  /^(libcoreclr|libclr|libmscor|libSystem\.|libhostfxr|libhostpolicy|libnethost|createdump|dotnet$)/;

/**
 * True when an ELF image belongs to the system or the .NET runtime: libraries in the system's folders and the runtime's
 * own. An executable is somebody's program, even in /usr/bin.
 */
export function isSystemLibrary(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (
    RUNTIME_LIBRARIES.test(name) ||
    LANGUAGE_LIBRARIES.test(name) ||
    path.startsWith('[') ||
    liesInSharedFramework(path)
  )
    return true;
  return /^(\/usr)?\/lib(32|64|x32)?\//.test(path) && /\.so(\.|$)/.test(name);
}

/** Where the sources of C, C++ and Rust's own libraries lie, and the headers of installed ones. */
const LANGUAGE_SOURCES =
  /^\/rustc\/|\/rustlib\/src\/rust\/|^\/usr\/(local\/)?include\/|\/include\/c\+\+\/|\/lib\/gcc\/[^/]+\/[^/]+\/include\//;

/** The framework compiled into a program by NativeAOT: `S_P_CoreLib_System_…__Add`, `System_Linq_…__ToList`. */
const AOT_FRAMEWORK = /^(S_P_[A-Z]\w*?_|System_\w+?(__|<))/;

/** As symbols/names.ts calls what the runtime makes between managed and native code; it is in the module of the method that it is for. */
const RUNTIME_STUB = /^IL_STUB.* \(runtime stub\)$/;

/**
 * True for stubs of the runtime, and code of a language's own library that was compiled into the module that uses it: C++ templates and inline
 * functions, Rust generics, .NET's framework by NativeAOT. Told by its name where that is `std::…`, else by where its source lies.
 * @param file source of the line, empty when not known
 */
export function isLanguageCode(functionName: string, file: string): boolean {
  if (AOT_FRAMEWORK.test(functionName) || RUNTIME_STUB.test(functionName)) return true;
  return LANGUAGE_SOURCES.test(file) || /^(std|__gnu_cxx|__cxxabiv1)::/.test(qualifiedName(functionName));
}
