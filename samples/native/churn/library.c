/* The pair of churn for a .NET program. */
#include "pair.h"

void churn_pair(int size) { churn_once((size_t)size); }
