// A library that leaks; built twice, as libfirst.so and libsecond.so, with functions of different names at the same places.
#include <cstdlib>

#define JOIN(a, b) a##b
#define NAME(prefix, name) JOIN(prefix, name)

static void *volatile s_sink;

extern "C" {

/** Fifty blocks of 1000 bytes, kept. */
[[gnu::noipa]] void NAME(PLUGIN, _leak)() {
  for (int i = 0; i < 50; i++) s_sink = malloc(1000);
}

/** What the program looks up in either library. */
void run_plugin() { NAME(PLUGIN, _leak)(); }

}
