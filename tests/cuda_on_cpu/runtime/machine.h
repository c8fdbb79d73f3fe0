// The grid: blocks, their threads as fibres, and who waits for whom. One thread of the process runs all of it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../device/abi.h"
#include "clock.h"
#include "fibre.h"

struct Dim {
  unsigned x = 1, y = 1, z = 1;
  std::uint64_t count() const { return 1ULL * x * y * z; }
  Dim at(std::uint64_t linear) const {
    return {static_cast<unsigned>(linear % x), static_cast<unsigned>(linear / x % y),
            static_cast<unsigned>(linear / x / y)};
  }
};

struct Launch {
  const CudaOnCpuKernel* kernel;
  Dim grid, block, cluster;
  bool cooperative;
  std::size_t shared_bytes;
  std::vector<void*> arguments;
};

struct Block;

// What a thread gave to a meeting of its warp, and what it gets.
struct WarpTicket {
  bool waits = false;
  int what = 0, source = 0;
  unsigned mask = 0;
  alignas(16) std::array<unsigned char, 16> value{}, result{};
};

struct Copy {
  void* shared;
  const void* global;
};

struct Fibre {
  Context context;
  char* stack = nullptr;
  Dim thread;
  unsigned linear = 0;
  Block* block = nullptr;
  bool done = false;
  const char* waits = nullptr;  // for what, where it does not run
  WarpTicket ticket;
  bool arrived_at_cluster = false;
  std::uint64_t cluster_phase = 0;
  std::vector<std::vector<Copy>> copies;  // batches not awaited yet; the last one is open
  Knowledge knows;
};

struct Cluster {
  std::vector<Block*> blocks;
  std::uint64_t alive = 0, arrived = 0, phase = 0;
  Meeting meeting;
  Met met;
};

struct Block {
  Dim index;
  std::uint64_t linear = 0;
  unsigned rank = 0;
  Cluster* cluster = nullptr;
  std::vector<Fibre> threads;
  std::vector<Fibre*> ready;
  unsigned alive = 0, arrived = 0;
  int votes = 0, vote_result = 0, vote = VOTE_NONE;
  Meeting meeting;
  std::vector<char> static_shared;  // while another block's stand in the module's own place
  char* dynamic_shared = nullptr;
};

class Machine {
 public:
  Machine(const CudaOnCpuModule& module, std::uint64_t seed) : module_(module), random_(seed) {}

  void run(const Launch& launch);

  // What the threads ask; always of the one that runs.
  int block_barrier(int vote, int predicate);
  void cluster_arrive();
  void cluster_wait();
  void warp_meet(int what, unsigned mask, int source, const void* value, void* result);
  unsigned warp_lanes() const;
  void* remote(const void* here, unsigned rank);
  void yield();
  void copy(void* shared, const void* global, const void* site);
  void copy_commit();
  void copy_wait(int pending);

  Fibre& current() const { return *current_; }
  void progress() { idle_ = 0; }
  const Launch& launch() const { return *launch_; }
  const CudaOnCpuModule& module() const { return module_; }
  std::size_t static_bytes() const { return module_.static_shared_end - module_.static_shared; }
  // Where a block keeps what the module's own place holds while it runs.
  char* static_shared_of(Block& block) {
    return &block == resident_ ? module_.static_shared : block.static_shared.data();
  }
  const std::vector<std::unique_ptr<Block>>& blocks() const { return blocks_; }

 private:
  void run_together(const std::vector<std::uint64_t>& linear);
  void open(Block& block);
  void close(Block& block);
  void turn_to(Block& block);
  void resume(Fibre& fibre);
  void wait(const char* for_what);
  void wake(Fibre& fibre);
  void release_block(Block& block);
  void release_cluster(Cluster& cluster);
  bool try_meet(Fibre& first);
  void thread_ends();
  void report_stall(const char* kind);
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  static void entry();

  const CudaOnCpuModule& module_;
  std::mt19937_64 random_;
  Stacks stacks_;
  const Launch* launch_ = nullptr;
  Context main_;
  Fibre* current_ = nullptr;
  Block* resident_ = nullptr;
  std::vector<std::unique_ptr<Block>> blocks_;  // alive now
  std::vector<std::unique_ptr<Cluster>> clusters_;
  std::uint64_t idle_ = 0;  // turns since anything but looking again was done
};

extern Machine* g_machine;

// "thread (3,0,0) of block (1,0,0)"
std::string name_of(const Fibre& fibre);
std::string name_of_thread(std::uint64_t block, std::uint32_t thread);

// One line on standard error, and the process is over.
[[noreturn]] void fail(const std::string& line);
