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
  const Dim clusters{launch.grid.x / launch.cluster.x, launch.grid.y / launch.cluster.y,
                     launch.grid.z / launch.cluster.z};
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
  for (unsigned lane = fibre.linear / 32 * 32;
       lane < std::min<std::size_t>(fibre.linear / 32 * 32 + 32, block.threads.size()); ++lane) {
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
      const bool first = std::none_of(block->threads.data(), &fibre,
                                      [&](const Fibre& other) { return !other.done && other.waits == fibre.waits; });
      if (!first) continue;
      line +=
          std::string(told++ ? ", " : " ") + name_of(fibre) + (fibre.waits ? " waits at " : " looks again and again");
      if (fibre.waits) line += fibre.waits;
    }
  }
  fail(line);
}
