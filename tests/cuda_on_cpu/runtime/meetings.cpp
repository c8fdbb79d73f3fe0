// What threads ask of each other: barriers, warps, another block's shared memory; and copies that arrive later.

#include <algorithm>
#include <cstring>

#include "machine.h"
#include "watch.h"

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
      fail("warp: " + name_of(first) + " and " + name_of(warp[lane]) +
           " meet with another mask or for another purpose");
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
    fail("cluster: " + name_of(*current_) + " names block " + std::to_string(rank) + " of a cluster of " +
         std::to_string(cluster.blocks.size()));
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
