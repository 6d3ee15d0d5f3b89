#pragma once
#ifdef __cplusplus
extern "C"
#endif
int plain(int n);
