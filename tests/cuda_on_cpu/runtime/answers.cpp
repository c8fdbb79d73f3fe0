// The machine's answers to a kernel: what abi.h declares, and what the compiler calls before every load and store.

#include "machine.h"
#include "watch.h"

#define SITE __builtin_return_address(0)

extern "C" {

int cuda_on_cpu_block_barrier(int vote, int predicate) { return g_machine->block_barrier(vote, predicate); }
void cuda_on_cpu_cluster_arrive() { g_machine->cluster_arrive(); }
void cuda_on_cpu_cluster_wait() { g_machine->cluster_wait(); }
void cuda_on_cpu_warp_meet(int what, unsigned mask, int source, const void* value, void* result) {
  g_machine->warp_meet(what, mask, source, value, result);
}
unsigned cuda_on_cpu_warp_lanes() { return g_machine->warp_lanes(); }
unsigned cuda_on_cpu_cluster_rank() { return g_machine->current().block->rank; }
unsigned cuda_on_cpu_cluster_size() { return static_cast<unsigned>(g_machine->launch().cluster.count()); }
void* cuda_on_cpu_remote(const void* here, unsigned rank) { return g_machine->remote(here, rank); }
void* cuda_on_cpu_dynamic_shared() { return g_machine->current().block->dynamic_shared; }
void cuda_on_cpu_atomic(const void* address, std::size_t bytes, int reads, int writes, int order) {
  if (writes) g_machine->progress();
  watch_atomic(address, bytes, reads != 0, writes != 0, order, SITE);
}
void cuda_on_cpu_read_only(const void* address, std::size_t bytes) { watch_read_only(address, bytes, SITE); }
void cuda_on_cpu_aligned(const void* address, std::size_t bytes) { watch_aligned(address, bytes, SITE); }
void cuda_on_cpu_fence() { watch_fence(); }
void cuda_on_cpu_yield() { g_machine->yield(); }
void cuda_on_cpu_trap() { fail("trap: " + name_of(g_machine->current())); }
void cuda_on_cpu_copy(void* shared, const void* global) { g_machine->copy(shared, global, SITE); }
void cuda_on_cpu_copy_commit() { g_machine->copy_commit(); }
void cuda_on_cpu_copy_wait(int pending) { g_machine->copy_wait(pending); }

#ifndef ADDRESS

void __tsan_init() {}

#define WATCH(bytes)                                                         \
  void __tsan_read##bytes(void* at) { watch_plain(at, bytes, false, SITE); } \
  void __tsan_write##bytes(void* at) { watch_plain(at, bytes, true, SITE); } \
  void __tsan_volatile_read##bytes(void* at) {                               \
    g_machine->yield();                                                      \
    watch_atomic(at, bytes, true, false, RELAXED, SITE);                     \
  }                                                                          \
  void __tsan_volatile_write##bytes(void* at) { watch_atomic(at, bytes, false, true, RELAXED, SITE); }
WATCH(1)
WATCH(2) WATCH(4) WATCH(8) WATCH(16)
#undef WATCH

// The compiler does not know these to be aligned; a GPU wants them so nevertheless.
#define WATCH(bytes)                                                                   \
  void __tsan_unaligned_read##bytes(void* at) { watch_plain(at, bytes, false, SITE); } \
  void __tsan_unaligned_write##bytes(void* at) { watch_plain(at, bytes, true, SITE); }
    WATCH(2) WATCH(4) WATCH(8) WATCH(16)
#undef WATCH

        void __tsan_read_range(void* at, std::size_t bytes) {
  watch_range(at, bytes, false, SITE);
}
void __tsan_write_range(void* at, std::size_t bytes) { watch_range(at, bytes, true, SITE); }

#endif
}
