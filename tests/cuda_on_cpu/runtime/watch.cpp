#include "watch.h"

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "machine.h"

namespace {

struct Event {
  std::uint32_t block = 0, thread = 0, time = 0;  // a time of 0: none
  std::uint32_t site = 0;                         // in the module
  bool atomic = false;
};

struct Cell {
  Event write, read;
  std::unique_ptr<std::vector<Event>> reads;  // further ones that know nothing of each other
  bool written = false, pending = false;
};

struct Region {
  std::string name;
  const char* begin;
  std::size_t bytes, unit;
  bool read_only, ended = false;
  std::vector<Cell> cells;  // none where read_only
};

struct Sync {
  const Clock* clock = nullptr;
};

// By address; a block's static shared memory under where it is kept while another block runs.
std::map<const char*, Region> g_regions;
std::unordered_map<const void*, Sync> g_sync;
const char* g_base = nullptr;
const char* g_copied = "copies into";

std::string at(std::uint32_t site) {
  char text[32];
  std::snprintf(text, sizeof(text), "[@%x]", site);
  return text;
}

std::uint32_t offset_of(const void* site) {
  return static_cast<std::uint32_t>(static_cast<const char*>(site) - g_base);
}

bool own_stack(const char* address) {
  const Fibre& fibre = g_machine->current();
  return address >= fibre.stack && address < fibre.stack + Stacks::BYTES;
}

// A module's static shared memory is the running block's.
const char* home_of(const char* address) {
  const CudaOnCpuModule& module = g_machine->module();
  if (address < module.static_shared || address >= module.static_shared_end) return address;
  return g_machine->current().block->static_shared.data() + (address - module.static_shared);
}

std::string what(const char* verb, std::size_t bytes) {
  return name_of(g_machine->current()) + " " + verb + " " + std::to_string(bytes) + " bytes";
}

[[noreturn]] void fail_outside(const char* address, std::size_t bytes, const char* verb, const void* site) {
  std::string where = "outside every buffer";
  auto next = g_regions.upper_bound(address);
  constexpr std::ptrdiff_t near = 65536;
  if (next != g_regions.begin()) {
    const Region& before = std::prev(next)->second;
    const std::ptrdiff_t behind = address + bytes - (before.begin + before.bytes);
    if (behind < near) where = "up to " + std::to_string(behind) + " bytes behind the end of " + before.name;
  }
  if (where[0] == 'o' && next != g_regions.end() && next->second.begin - address < near) {
    where = std::to_string(next->second.begin - address) + " bytes before " + next->second.name;
  }
  fail("out of bounds: " + what(verb, bytes) + " " + where + " " + at(offset_of(site)));
}

// The one looked at last: most accesses are neighbors of the one before.
Region* g_last = nullptr;

Region& find(const char* address, std::size_t bytes, const char* verb, const void* site) {
  if (g_last == nullptr || address < g_last->begin || address + bytes > g_last->begin + g_last->bytes) {
    auto next = g_regions.upper_bound(address);
    if (next == g_regions.begin()) fail_outside(address, bytes, verb, site);
    Region& region = std::prev(next)->second;
    if (address + bytes > region.begin + region.bytes) fail_outside(address, bytes, verb, site);
    g_last = &region;
  }
  return *g_last;
}

[[noreturn]] void fail_race(const Region& region, const Cell& cell, const char* verb, const char* did,
                            const Event& other, const void* site) {
  const std::size_t byte = static_cast<std::size_t>(&cell - region.cells.data()) * region.unit;
  fail("race: " + name_of(g_machine->current()) + " " + verb + " " + region.name + " at byte " + std::to_string(byte) +
       " " + at(offset_of(site)) + ", which " + name_of_thread(other.block, other.thread) + " " + did + " " +
       at(other.site) + ", and nothing orders the two");
}

bool known(const Event& event) {
  return event.time == 0 || g_clocks.knows(g_machine->current().knows, event.block, event.thread, event.time);
}

Event now(const void* site, bool atomic) {
  const Knowledge& knows = g_machine->current().knows;
  return {static_cast<std::uint32_t>(knows.block), knows.thread, knows.time, offset_of(site), atomic};
}

void check_against_write(const Region& region, const Cell& cell, bool atomic, const char* verb, const void* site) {
  if (cell.pending) {
    fail("copy: " + name_of(g_machine->current()) + " " + verb + " " + region.name + " at byte " +
         std::to_string((&cell - region.cells.data()) * region.unit) + " " + at(offset_of(site)) + " where a copy of " +
         name_of_thread(cell.write.block, cell.write.thread) + " may still arrive");
  }
  if (!(atomic && cell.write.atomic) && !known(cell.write)) fail_race(region, cell, verb, "wrote", cell.write, site);
}

void check_against_reads(const Region& region, const Cell& cell, bool atomic, const char* verb, const void* site) {
  if (!(atomic && cell.read.atomic) && !known(cell.read)) fail_race(region, cell, verb, "read", cell.read, site);
  if (!cell.reads) return;
  for (const Event& read : *cell.reads) {
    if (!(atomic && read.atomic) && !known(read)) fail_race(region, cell, verb, "read", read, site);
  }
}

bool same_thread(const Event& a, const Event& b) { return a.block == b.block && a.thread == b.thread; }

void note_read(Cell& cell, const Event& event) {
  if (known(cell.read)) {
    cell.read = event;
    return;
  }
  if (!cell.reads) cell.reads = std::make_unique<std::vector<Event>>();
  std::vector<Event>& reads = *cell.reads;
  if (!reads.empty() && same_thread(reads.back(), event)) {
    reads.back() = event;
    return;
  }
  // A list that would grow is first rid of what this reader knows of.
  if (reads.size() == reads.capacity()) reads.erase(std::remove_if(reads.begin(), reads.end(), known), reads.end());
  reads.push_back(event);
}

void note_write(Cell& cell, const Event& event) {
  cell.write = event;
  cell.read = Event{};
  cell.reads.reset();
  cell.written = true;
}

struct Span {
  Region* region;
  Cell *first, *last;
};

Span span(const void* address, std::size_t bytes, const char* verb, const void* site) {
  const char* home = home_of(static_cast<const char*>(address));
  Region& region = find(home, bytes, verb, site);
  if (region.ended)
    fail("ended: " + what(verb, bytes) + " of " + region.name + ", whose block has ended " + at(offset_of(site)));
  if (bytes <= 16) watch_aligned(address, bytes, site);
  if (region.read_only) return {&region, nullptr, nullptr};
  const std::size_t offset = home - region.begin;
  return {&region, &region.cells[offset / region.unit], &region.cells[(offset + bytes - 1) / region.unit] + 1};
}

void access(const void* address, std::size_t bytes, bool reads, bool writes, bool atomic, const void* site) {
  const char* verb = writes ? "writes" : "reads";
  const Span found = span(address, bytes, verb, site);
  const Region& region = *found.region;
  if (region.read_only && writes)
    fail("input: " + what(verb, bytes) + " of " + region.name + ", which is only to be read " + at(offset_of(site)));
  // A vector at the ragged end of a line may be half of what nobody uses; what is used of it is seen by its NaN.
  if (reads && found.first != found.last &&
      std::none_of(found.first, found.last, [](const Cell& cell) { return cell.written; })) {
    fail("uninitialized: " + what("reads", bytes) + " of " + region.name + " at byte " +
         std::to_string((found.first - region.cells.data()) * region.unit) + ", which nobody has written " +
         at(offset_of(site)));
  }
  const Event event = now(site, atomic);
  for (Cell* cell = found.first; cell != found.last; ++cell) {
    check_against_write(region, *cell, atomic, verb, site);
    if (writes) {
      check_against_reads(region, *cell, atomic, verb, site);
      note_write(*cell, event);
    } else {
      note_read(*cell, event);
    }
  }
}

void add(const std::string& name, const void* begin, std::size_t bytes, std::size_t unit, bool read_only,
         bool written) {
  Region region{name, static_cast<const char*>(begin), bytes, unit, read_only, false, {}};
  if (!read_only) region.cells = std::vector<Cell>((bytes + unit - 1) / unit);
  for (Cell& cell : region.cells) cell.written = written;
  g_last = nullptr;
  g_regions.insert_or_assign(region.begin, std::move(region));
}

}  // namespace

void watch_buffer(const std::string& name, const void* begin, std::size_t bytes, std::size_t unit, Access access) {
  if (WATCHED && bytes > 0) add(name, begin, bytes, unit, access == Access::READ, access != Access::WRITE);
}

void watch_module(const void* begin, std::size_t bytes, const void* base) {
  g_base = static_cast<const char*>(base);
  if (WATCHED) add("the module's constants", begin, bytes, 1, true, true);
}

void watch_launch_begins() {
  g_sync.clear();
  for (auto& [begin, region] : g_regions) {
    for (Cell& cell : region.cells) {
      cell.write = cell.read = Event{};
      cell.reads.reset();
    }
  }
}

void watch_block_opens(Block& block) {
  if (!WATCHED) return;
  const std::size_t dynamic = g_machine->launch().shared_bytes;
  // 2 bytes: the smallest element that neighbors write into shared memory.
  if (!block.static_shared.empty())
    add("static shared memory", block.static_shared.data(), block.static_shared.size(), 2, false, false);
  if (dynamic > 0) add("dynamic shared memory", block.dynamic_shared, dynamic, 2, false, false);
}

void watch_block_ends(Block& block) {
  for (const char* begin :
       {static_cast<const char*>(block.static_shared.data()), static_cast<const char*>(block.dynamic_shared)}) {
    const auto found = g_regions.find(begin);
    if (found != g_regions.end()) found->second.ended = true;
  }
}

void watch_block_closes(Block& block) {
  g_last = nullptr;
  g_regions.erase(block.static_shared.data());
  g_regions.erase(block.dynamic_shared);
}

void watch_plain(const void* address, std::size_t bytes, bool writes, const void* site) {
  if (!WATCHED || own_stack(static_cast<const char*>(address))) return;
  access(address, bytes, !writes, writes, false, site);
}

void watch_range(const void* address, std::size_t bytes, bool writes, const void* site) {
  const char* at = static_cast<const char*>(address);
  for (std::size_t i = 0; i < bytes; ++i) watch_plain(at + i, 1, writes, site);
}

void watch_atomic(const void* address, std::size_t bytes, bool reads, bool writes, int order, const void* site) {
  if (!WATCHED) return;
  Knowledge& knows = g_machine->current().knows;
  access(address, bytes, reads, writes, true, site);
  Sync& sync = g_sync[home_of(static_cast<const char*>(address))];
  if (reads) {
    if (order & ACQUIRE) {
      knows.base = g_clocks.join(knows.base, sync.clock);
    } else {
      knows.seen = g_clocks.join(knows.seen, sync.clock);
    }
  }
  if (!writes) return;
  const Clock* passed_on = order & RELEASE ? g_clocks.release(knows) : knows.fenced;
  // What changes a value passes on what the value before it did; what overwrites it does not.
  sync.clock = reads ? g_clocks.join(sync.clock, passed_on) : passed_on;
}

void watch_read_only(const void* address, std::size_t bytes, const void* site) {
  if (!WATCHED || own_stack(static_cast<const char*>(address))) return;
  const Span found = span(address, bytes, "reads", site);
  for (Cell* cell = found.first; cell != found.last; ++cell) {
    if (cell->write.time != 0) {
      fail("read-only: " + what("reads", bytes) + " of " + found.region->name + " by __ldg " + at(offset_of(site)) +
           ", which this launch writes " + at(cell->write.site));
    }
  }
  access(address, bytes, true, false, false, site);
}

void watch_aligned(const void* address, std::size_t bytes, const void* site) {
  const std::size_t past = reinterpret_cast<std::uintptr_t>(address) % bytes;
  if (past == 0) return;
  fail("misaligned: " + what("accesses", bytes) + " at an address " + std::to_string(past) + " past a multiple " +
       at(offset_of(site)));
}

void watch_fence() {
  if (!WATCHED) return;
  Knowledge& knows = g_machine->current().knows;
  knows.base = g_clocks.join(knows.base, knows.seen);
  knows.fenced = g_clocks.release(knows);
}

void watch_copy_begins(void* shared, const void* global, const void* site) {
  if (!WATCHED) return;
  access(global, 16, true, false, false, site);
  access(shared, 16, false, true, false, site);
  const Span found = span(shared, 16, g_copied, site);
  for (Cell* cell = found.first; cell != found.last; ++cell) cell->pending = true;
}

void watch_copy_ends(void* shared) {
  if (!WATCHED) return;
  const Span found = span(shared, 16, g_copied, nullptr);
  const Knowledge& knows = g_machine->current().knows;
  for (Cell* cell = found.first; cell != found.last; ++cell) {
    cell->pending = false;
    cell->write.time = knows.time;
  }
}
