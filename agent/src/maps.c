#include "maps.h"
void maps_start(void) {}
