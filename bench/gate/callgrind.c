/* valgrind's client requests are instructions, not functions: these are the functions, for ctypes. */
#include <valgrind/callgrind.h>

void begin(void) { CALLGRIND_START_INSTRUMENTATION; }
void count_from_here(void) { CALLGRIND_ZERO_STATS; }
void count_to_here(void) { CALLGRIND_DUMP_STATS; }
