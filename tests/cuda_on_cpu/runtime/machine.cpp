#include "machine.h"

#include <algorithm>
#include <cstring>

#include "watch.h"

#ifdef ADDRESS
#include <sanitizer/asan_interface.h>
#endif

Machine* g_machine = nullptr;

// What the kernel's module sees as threadIdx and so on, constant to the thread that runs.
extern "C" {
Dim threadIdx, blockIdx, blockDim, gridDim;
}

namespace {

// Shared memory starts as what no kernel can use by mistake: a NaN in every floating-point type.
constexpr unsigned char POISON = 0xFF;

// The address sanitizer's memcpy would refuse the room between the module's variables.
void copy_raw(char* to, const char* from, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    to[i] = from[i];
    asm volatile("" ::: "memory");
  }
}

std::string triple(const Dim& d) {
  return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
}

}  // namespace

std::string name_of(const Fibre& fibre) {
  return "thread " + triple(fibre.thread) + " of block " + triple(fibre.block->index);
}

std::string name_of_thread(std::uint64_t block, std::uint32_t thread) {
  const Launch& launch = g_machine->launch();
  return "thread " + triple(launch.block.at(thread)) + " of block " + triple(launch.grid.at(block));
}

void fail(const std::string& line) {
  std::fprintf(stderr, "cuda_on_cpu: %s\n", line.c_str());
  std::fflush(stderr);
  std::_Exit(3);
}

// ---- the grid's way

void Machine::run(const Launch& launch) {
  launch_ = &launch;
  blockDim = launch.block;
  gridDim = launch.grid;
  g_clocks.start(launch.grid.count(), static_cast<std::uint32_t>(launch.block.count()));
  const std::uint64_t size = launch.cluster.count(), gangs = launch.grid.count() / size;
  const Dim clusters{launch.grid.x / launch.cluster.x, launch.grid.y / launch.cluster.y, launch.grid.z / launch.cluster.z};
  std::vector<std::vector<std::uint64_t>> together(gangs);
  for (std::uint64_t gang = 0; gang < gangs; ++gang) {
    const Dim at = clusters.at(gang);
    for (std::uint64_t rank = 0; rank < size; ++rank) {
      const Dim in = launch.cluster.at(rank);
      const std::uint64_t x = at.x * launch.cluster.x + in.x, y = at.y * launch.cluster.y + in.y,
                          z = at.z * launch.cluster.z + in.z;
      together[gang].push_back(x + launch.grid.x * (y + launch.grid.y * z));
    }
  }
  std::shuffle(together.begin(), together.end(), random_);
  if (launch.cooperative) {
    std::vector<std::uint64_t> all;
    for (const auto& gang : together) all.insert(all.end(), gang.begin(), gang.end());
    run_together(all);
  } else {
    // A grid that needs two blocks alive at once without having asked for it stalls here.
    for (const auto& gang : together) run_together(gang);
  }
}

void Machine::run_together(const std::vector<std::uint64_t>& linear) {
  const std::uint64_t size = launch_->cluster.count();
  for (std::size_t i = 0; i < linear.size(); ++i) {
    if (i % size == 0) clusters_.push_back(std::make_unique<Cluster>());
    auto block = std::make_unique<Block>();
    block->linear = linear[i];
    block->rank = static_cast<unsigned>(i % size);
    block->cluster = clusters_.back().get();
    block->cluster->blocks.push_back(block.get());
    open(*block);
    blocks_.push_back(std::move(block));
  }
  std::vector<Block*> able;
  for (;;) {
    able.clear();
    bool over = true;
    for (const auto& block : blocks_) {
      over &= block->alive == 0;
      if (!block->ready.empty()) able.push_back(block.get());
    }
    if (over) break;
    if (able.empty()) report_stall("deadlock");
    Block& block = *able[below(able.size())];
    turn_to(block);
    for (std::uint64_t turns = 1 + below(2 * block.ready.size()); turns > 0 && !block.ready.empty(); --turns) {
      std::swap(block.ready[below(block.ready.size())], block.ready.back());
      Fibre& fibre = *block.ready.back();
      block.ready.pop_back();
      resume(fibre);
    }
  }
  for (const auto& block : blocks_) close(*block);
  blocks_.clear();
  clusters_.clear();
  resident_ = nullptr;
}

void Machine::open(Block& block) {
  const std::uint64_t threads = launch_->block.count();
  block.index = launch_->grid.at(block.linear);
  block.static_shared.assign(static_bytes(), static_cast<char>(POISON));
  block.dynamic_shared = static_cast<char*>(std::aligned_alloc(1024, (launch_->shared_bytes / 1024 + 1) * 1024));
  std::memset(block.dynamic_shared, POISON, launch_->shared_bytes);
#ifdef ADDRESS
  __asan_poison_memory_region(block.dynamic_shared + launch_->shared_bytes, 1024 - launch_->shared_bytes % 1024);
#endif
  watch_block_opens(block);
  block.alive = static_cast<unsigned>(threads);
  block.cluster->alive += threads;
  block.threads = std::vector<Fibre>(threads);
  for (std::uint64_t i = 0; i < threads; ++i) {
    Fibre& fibre = block.threads[i];
    fibre.thread = launch_->block.at(i);
    fibre.linear = static_cast<unsigned>(i);
    fibre.block = &block;
    fibre.knows.block = block.linear;
    fibre.knows.thread = fibre.linear;
    fibre.knows.base = g_clocks.nothing();
    fibre.stack = stacks_.take();
    fibre.context.prepare(fibre.stack, Stacks::BYTES, &Machine::entry);
    block.ready.push_back(&fibre);
  }
}

void Machine::close(Block& block) {
  watch_block_closes(block);
  std::free(block.dynamic_shared);
}

void Machine::turn_to(Block& block) {
  if (resident_ == &block) return;
  if (resident_ != nullptr) copy_raw(resident_->static_shared.data(), module_.static_shared, static_bytes());
  copy_raw(module_.static_shared, block.static_shared.data(), static_bytes());
  resident_ = &block;
  blockIdx = block.index;
}

void Machine::resume(Fibre& fibre) {
  current_ = &fibre;
  threadIdx = fibre.thread;
  Context::change(main_, fibre.context);
  current_ = nullptr;
  if (fibre.done) stacks_.give(fibre.stack);
}

void Machine::entry() {
  Context::arrived();
  g_machine->launch_->kernel->call(const_cast<void**>(g_machine->launch_->arguments.data()));
  g_machine->thread_ends();
}

void Machine::thread_ends() {
  Fibre& fibre = *current_;
  Block& block = *fibre.block;
  Cluster& cluster = *block.cluster;
  idle_ = 0;
  fibre.done = true;
  --block.alive;
  if (block.alive > 0 && block.arrived == block.alive) release_block(block);
  if (fibre.arrived_at_cluster && fibre.cluster_phase == cluster.phase) --cluster.arrived;
  --cluster.alive;
  if (cluster.alive > 0 && cluster.arrived == cluster.alive) release_cluster(cluster);
  // Lanes that wait for this one go on without it.
  for (unsigned lane = fibre.linear / 32 * 32; lane < std::min<std::size_t>(fibre.linear / 32 * 32 + 32, block.threads.size()); ++lane) {
    if (block.threads[lane].ticket.waits) try_meet(block.threads[lane]);
  }
  if (block.alive == 0) watch_block_ends(block);
  Context::change(fibre.context, main_, true);
}

// ---- waiting

void Machine::wait(const char* for_what) {
  Fibre& fibre = *current_;
  idle_ = 0;
  fibre.waits = for_what;
  Context::change(fibre.context, main_);
}

void Machine::wake(Fibre& fibre) {
  if (fibre.waits == nullptr) return;
  fibre.waits = nullptr;
  fibre.block->ready.push_back(&fibre);
}

void Machine::yield() {
  if (++idle_ > 10000 + 200 * launch_->block.count() * blocks_.size()) report_stall("livelock");
  current_->block->ready.push_back(current_);
  Context::change(current_->context, main_);
}

void Machine::report_stall(const char* kind) {
  std::string line = std::string(kind) + ": nobody can go on;";
  int told = 0;
  for (const auto& block : blocks_) {
    for (Fibre& fibre : block->threads) {
      if (fibre.done || told == 4) continue;
      // One of a block's waiting for the same is enough.
      const bool first = std::none_of(block->threads.data(), &fibre, [&](const Fibre& other) {
        return !other.done && other.waits == fibre.waits;
      });
      if (!first) continue;
      line += std::string(told++ ? ", " : " ") + name_of(fibre) + (fibre.waits ? " waits at " : " looks again and again");
      if (fibre.waits) line += fibre.waits;
    }
  }
  fail(line);
}

// ---- barriers

int Machine::block_barrier(int vote, int predicate) {
  Fibre& fibre = *current_;
  Block& block = *fibre.block;
  if (block.arrived == 0) {
    block.vote = vote;
    block.votes = vote == VOTE_AND;
  }
  if (block.vote != vote) fail("barrier: " + name_of(fibre) + " meets others at a barrier of another kind");
  if (vote == VOTE_COUNT) block.votes += predicate != 0;
  if (vote == VOTE_OR) block.votes |= predicate != 0;
  if (vote == VOTE_AND) block.votes &= predicate != 0;
  ++block.arrived;
  if (WATCHED) block.meeting.arrive(fibre.knows);
  if (block.arrived == block.alive) {
    release_block(block);
  } else {
    wait("__syncthreads");
  }
  return block.vote_result;
}

void Machine::release_block(Block& block) {
  const Met met = WATCHED ? block.meeting.finish() : Met{};
  block.arrived = 0;
  block.vote_result = block.votes;
  for (Fibre& fibre : block.threads) {
    if (fibre.done) continue;
    if (WATCHED) met.tell(fibre.knows, true);
    if (&fibre != current_) wake(fibre);
  }
}

void Machine::cluster_arrive() {
  Fibre& fibre = *current_;
  Cluster& cluster = *fibre.block->cluster;
  if (fibre.arrived_at_cluster) fail("cluster barrier: " + name_of(fibre) + " arrives a second time without waiting");
  fibre.arrived_at_cluster = true;
  fibre.cluster_phase = cluster.phase;
  if (WATCHED) cluster.meeting.arrive(fibre.knows);
  if (++cluster.arrived == cluster.alive) release_cluster(cluster);
}

void Machine::cluster_wait() {
  Fibre& fibre = *current_;
  Cluster& cluster = *fibre.block->cluster;
  if (!fibre.arrived_at_cluster) fail("cluster barrier: " + name_of(fibre) + " waits without having arrived");
  if (fibre.cluster_phase == cluster.phase) wait("the cluster's barrier");
  fibre.arrived_at_cluster = false;
  if (WATCHED) cluster.met.tell(fibre.knows, false);
}

void Machine::release_cluster(Cluster& cluster) {
  if (WATCHED) cluster.met = cluster.meeting.finish();
  cluster.arrived = 0;
  ++cluster.phase;
  for (Block* block : cluster.blocks) {
    for (Fibre& fibre : block->threads) {
      if (fibre.waits != nullptr && fibre.arrived_at_cluster && fibre.cluster_phase + 1 == cluster.phase &&
          std::strcmp(fibre.waits, "the cluster's barrier") == 0) {
        wake(fibre);
      }
    }
  }
}

// ---- warps

void Machine::warp_meet(int what, unsigned mask, int source, const void* value, void* result) {
  Fibre& fibre = *current_;
  WarpTicket& ticket = fibre.ticket;
  if (!(mask >> fibre.linear % 32 & 1)) fail("warp: " + name_of(fibre) + " is not in the mask that it gives");
  ticket.waits = true;
  ticket.what = what;
  ticket.source = source;
  ticket.mask = mask;
  if (value != nullptr) std::memcpy(ticket.value.data(), value, 16);
  if (!try_meet(fibre)) wait("a warp's meeting");
  if (result != nullptr) std::memcpy(result, ticket.result.data(), 16);
}

bool Machine::try_meet(Fibre& first) {
  Block& block = *first.block;
  const unsigned base = first.linear / 32 * 32;
  const std::size_t lanes = std::min<std::size_t>(32, block.threads.size() - base);
  Fibre* warp = &block.threads[base];
  const WarpTicket asked = first.ticket;
  unsigned here = 0, votes = 0;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if (!(asked.mask >> lane & 1) || warp[lane].done) continue;
    const WarpTicket& ticket = warp[lane].ticket;
    if (!ticket.waits) return false;
    if (ticket.mask != asked.mask || ticket.what != asked.what) {
      fail("warp: " + name_of(first) + " and " + name_of(warp[lane]) + " meet with another mask or for another purpose");
    }
    here |= 1u << lane;
    votes |= static_cast<unsigned>(ticket.value[0] != 0) << lane;
  }
  Meeting meeting;
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if (!(here >> lane & 1)) continue;
    WarpTicket& ticket = warp[lane].ticket;
    if (asked.what == WARP_SHUFFLE) {
      if (ticket.source < 0 || ticket.source > 31 || !(here >> ticket.source & 1)) {
        fail("warp: " + name_of(warp[lane]) + " takes the value of lane " + std::to_string(ticket.source) +
             ", which does not take part");
      }
      ticket.result = warp[ticket.source].ticket.value;
    } else if (asked.what == WARP_BALLOT) {
      std::memcpy(ticket.result.data(), &votes, sizeof(votes));
    }
    // A shuffle hands over a value and orders nothing in memory; __syncwarp does.
    if (WATCHED && asked.what == WARP_SYNC) meeting.arrive(warp[lane].knows);
  }
  const bool orders = WATCHED && asked.what == WARP_SYNC;
  const Met met = orders ? meeting.finish() : Met{};
  for (unsigned lane = 0; lane < lanes; ++lane) {
    if (!(here >> lane & 1)) continue;
    warp[lane].ticket.waits = false;
    if (orders) met.tell(warp[lane].knows, true);
    if (&warp[lane] != current_) wake(warp[lane]);
  }
  return true;
}

unsigned Machine::warp_lanes() const {
  const Block& block = *current_->block;
  const unsigned base = current_->linear / 32 * 32;
  unsigned lanes = 0;
  for (unsigned lane = 0; lane < 32 && base + lane < block.threads.size(); ++lane) {
    lanes |= static_cast<unsigned>(!block.threads[base + lane].done) << lane;
  }
  return lanes;
}

// ---- another block's shared memory

void* Machine::remote(const void* here, unsigned rank) {
  Block& own = *current_->block;
  Cluster& cluster = *own.cluster;
  if (rank >= cluster.blocks.size()) {
    fail("cluster: " + name_of(*current_) + " names block " + std::to_string(rank) + " of a cluster of " + std::to_string(cluster.blocks.size()));
  }
  Block& other = *cluster.blocks[rank];
  // Blocks of a cluster are promised together, but only a barrier says that each has begun.
  if (&other != &own && cluster.phase == 0) {
    fail("cluster: " + name_of(*current_) + " reaches into a block before the cluster's first barrier");
  }
  const char* at = static_cast<const char*>(here);
  if (at >= module_.static_shared && at < module_.static_shared_end) {
    return static_shared_of(other) + (at - module_.static_shared);
  }
  if (at >= own.dynamic_shared && at < own.dynamic_shared + launch_->shared_bytes) {
    return other.dynamic_shared + (at - own.dynamic_shared);
  }
  fail("cluster: " + name_of(*current_) + " asks where another block has what is not in shared memory");
}

// ---- copies

void Machine::copy(void* shared, const void* global, const void* site) {
  Fibre& fibre = *current_;
  if (fibre.copies.empty()) fibre.copies.emplace_back();
  fibre.copies.back().push_back({shared, global});
  watch_copy_begins(shared, global, site);
}

void Machine::copy_commit() {
  Fibre& fibre = *current_;
  if (fibre.copies.empty()) fibre.copies.emplace_back();
  fibre.copies.emplace_back();
}

void Machine::copy_wait(int pending) {
  Fibre& fibre = *current_;
  // The last batch is open: not counted, and not waited for.
  while (static_cast<int>(fibre.copies.size()) - 1 > pending) {
    for (const Copy& copy : fibre.copies.front()) {
      watch_copy_ends(copy.shared);
      std::memcpy(copy.shared, copy.global, 16);
    }
    fibre.copies.erase(fibre.copies.begin());
  }
}
