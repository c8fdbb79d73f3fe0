// The shadow map: of every unit of memory who wrote it and who read it last, and whether a reader may know.
//
// Told of every load and store by the compiler (-fsanitize=thread puts a call before each; the functions are ours).
// It finds, with the two places in the source:
//   - two accesses, one a write and not both atomic, that nothing orders: no barrier, no release seen by an acquire;
//   - an access outside every buffer and outside the block's shared memory, or not aligned to its size;
//   - a read of what nobody has written, of a copy not awaited, of a block's shared memory after the block's end;
//   - a write to what the launch was given to read, a read through the read-only path of what the launch writes.
// In the build for the address sanitizer all of this is empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

struct Block;

#ifdef ADDRESS
constexpr bool WATCHED = false;
#else
constexpr bool WATCHED = true;
#endif

enum class Access : std::uint32_t { READ = 0, WRITE = 1, UPDATE = 2 };

// `unit` is the size of the smallest element: neighbors within a unit are not told apart.
void watch_buffer(const std::string& name, const void* begin, std::size_t bytes, std::size_t unit, Access access);
void watch_module(const void* begin, std::size_t bytes, const void* base);
// What one launch did is known to all of the next.
void watch_launch_begins();
void watch_block_opens(Block& block);
void watch_block_ends(Block& block);
void watch_block_closes(Block& block);

void watch_plain(const void* address, std::size_t bytes, bool writes, const void* site);
// A whole object, as a structure that is copied: its members' alignment is the compiler's business.
void watch_range(const void* address, std::size_t bytes, bool writes, const void* site);
void watch_atomic(const void* address, std::size_t bytes, bool reads, bool writes, int order, const void* site);
void watch_read_only(const void* address, std::size_t bytes, const void* site);
// The compiler may make four accesses of one; so who knows it to be one says so.
void watch_aligned(const void* address, std::size_t bytes, const void* site);
void watch_fence();
void watch_copy_begins(void* shared, const void* global, const void* site);
void watch_copy_ends(void* shared);
