// Backward, channels_last: sample after sample, each by one thread, or by all of them where no core's cache holds it.

#pragma once

#include "backward_rows.h"

namespace groupnorm::LEVEL::gradient {

// One thread's memory.
template <typename T, Activation A>
struct Bench {
  Columns<T, A> columns;
  Room<float> room;
  Room<double> span, places;
  Bench(const Gradients& p, const Rows& rows)
      : columns(p, rows), room(2 * rows.padded), span(2 * rows.padded), places(2 * rows.padded) {}
};

template <typename T, Activation A>
struct Samples {
  const Gradients& p;
  const Rows rows;

  int64_t start(int64_t n) const { return n * p.C * p.P + rows.first; }

  // Calls `four(at)` for four rows of a chunk and `one(at, count)` for a single one or what is left of one.
  template <typename Four, typename One>
  void over(int64_t chunk, const Four& four, const One& one) const {
    int64_t row = chunk * rows.chunk;
    const int64_t end = least(row + rows.chunk, rows.count);
    for (; row + kRowsAtOnce <= end; row += kRowsAtOnce) four(row * rows.stride);
    for (; row < end; ++row) one(row * rows.stride, rows.width);
    if (rows.rest && chunk == rows.chunks - 1) one(rows.count * rows.stride, rows.rest);
  }

  // The sums of a span of chunks: [2][padded] doubles at `sums`; `room` holds as many floats.
  void add_span(int64_t n, int64_t span, const Columns<T, A>& columns, float* room, double* sums) const {
    const int64_t padded = rows.padded;
    const T *dy = static_cast<const T*>(p.dy) + start(n), *x = static_cast<const T*>(p.x) + start(n);
    float* second = room + padded;
    std::memset(sums, 0, 2 * padded * sizeof(double));
    for (int64_t chunk = span * rows.span; chunk < least((span + 1) * rows.span, rows.chunks); ++chunk) {
      std::memset(room, 0, 2 * padded * sizeof(float));
      over(
          chunk, [&](int64_t i) { add_rows<T, A, 4>(dy + i, x + i, rows.stride, rows.width, columns, room, second); },
          [&](int64_t i, int64_t count) { add_rows<T, A, 1>(dy + i, x + i, 0, count, columns, room, second); });
      for (int64_t i = 0; i < 2 * padded; ++i) sums[i] += room[i];
    }
  }

  void write_span(int64_t n, int64_t span, const Columns<T, A>& columns) const {
    const T *dy = static_cast<const T*>(p.dy) + start(n), *x = static_cast<const T*>(p.x) + start(n);
    T* dx = static_cast<T*>(p.dx) + start(n);
    for (int64_t chunk = least((span + 1) * rows.span, rows.chunks) - 1; chunk >= span * rows.span; --chunk) {
      over(
          chunk,
          [&](int64_t i) { write_rows<T, A, 4>(dy + i, x + i, dx + i, rows.stride, rows.width, columns); },
          [&](int64_t i, int64_t count) { write_rows<T, A, 1>(dy + i, x + i, dx + i, 0, count, columns); });
    }
  }

  // The sums of a channel, from those of its places in a row, [2][padded].
  Sums folded(int64_t c, const double* places) const {
    const double *g = places, *gx = places + rows.padded;
    Sums sum;
    for (int64_t i = c - rows.first; i < rows.width; i += rows.channels) {
      sum.add({g[place_of<T>(i)], gx[place_of<T>(i)]});
    }
    return sum;
  }

  // Adds what a block of samples sums, [2][C] if wanted, and puts into the columns what dx takes. Gives false where
  // floats cannot hold a group.
  bool settle(int64_t n, const double* places, double* block, Columns<T, A>& columns) const {
    const int64_t D = p.D();
    bool is_fine = true;
    for (int64_t group = rows.first_group; group < rows.first_group + rows.groups; ++group) {
      const Normal normal = normal_of<T>(p, n, group);
      Sums weighted;
      for (int64_t c = group * D; c < (group + 1) * D; ++c) {
        Sums sums = normal.normalized(folded(c, places));
        weighted.add({sums.g * p.weight[c], sums.gx * p.weight[c]});
        if (!block) continue;
        if (!is_finite(sums)) sums = Exactly<T, A>(p, n, c).sums(p.P);
        block[c] += sums.g, block[p.C + c] += sums.gx;
      }
      const Pull pull = pull_of(weighted, normal, D * p.P);
      is_fine &= is_finite(pull);
      columns.take_pull(group, pull);
    }
    return is_fine;
  }

  void redo(int64_t n, const Columns<T, A>& columns) const {
    for (int64_t group = rows.first_group; group < rows.first_group + rows.groups; ++group) {
      if (!is_finite(columns.pull(group))) group_exactly<T, A>(p, n, group);
    }
  }

  void alone(int64_t n, Bench<T, A>& bench, double* block) const {
    bench.columns.take_sample(n);
    std::memset(bench.places.data(), 0, 2 * rows.padded * sizeof(double));
    for (int64_t span = 0; span < rows.spans; ++span) {
      add_span(n, span, bench.columns, bench.room.data(), bench.span.data());
      for (int64_t i = 0; i < 2 * rows.padded; ++i) bench.places[i] += bench.span[i];
    }
    const bool is_fine = settle(n, bench.places.data(), block, bench.columns);
    if (!p.dx) return;
    for (int64_t span = rows.spans - 1; span >= 0; --span) write_span(n, span, bench.columns);
    if (!is_fine) redo(n, bench.columns);
  }

  // All threads at one sample.
  void together(int64_t n, Bench<T, A>& bench, Room<double>& parts, double* block) const {
    const int64_t row = 2 * rows.padded, each = least(rows.span * rows.chunk, rows.count) * rows.width;
    Columns<T, A>& columns = bench.columns;
    columns.take_sample(n);
    const auto add = [&](int64_t span, Room<float>& room) {
      add_span(n, span, columns, room.data(), &parts[span * row]);
    };
    share<Room<float>>(p.pool, rows.spans, each, Order::forwards, add, row);
    std::memset(bench.places.data(), 0, row * sizeof(double));
    for (int64_t span = 0; span < rows.spans; ++span) {
      for (int64_t i = 0; i < row; ++i) bench.places[i] += parts[span * row + i];
    }
    const bool is_fine = settle(n, bench.places.data(), block, columns);
    if (!p.dx) return;
    share(p.pool, rows.spans, each, Order::backwards, [&](int64_t span, Nothing) { write_span(n, span, columns); });
    if (!is_fine) redo(n, columns);
  }
};

// The samples from `begin` on, tile after tile, by all threads.
template <typename T, Activation A>
void tiles_together(const Gradients& p, int64_t begin, int64_t groups_each, BlockSums& sums) {
  for (int64_t group = 0; group < p.G; group += groups_each) {
    const Samples<T, A> samples{p, Rows(p, group, least(groups_each, p.G - group))};
    Bench<T, A> bench(p, samples.rows);
    Room<double> parts(samples.rows.spans * 2 * samples.rows.padded);
    for (int64_t n = begin; n < p.N; ++n) samples.together(n, bench, parts, sums.g(n));
  }
}

template <typename T, Activation A>
void backward_of_samples(const Gradients& p) {
  const int64_t sample = p.C * p.P, bytes = sample * 2 * static_cast<int64_t>(sizeof(T)), threads = p.pool.threads;
  const int64_t at_once = most(1, least(p.N, kSmall / sample)), blocks = ceil_of(p.N, at_once);
  const int64_t groups_each = groups_of_tile(p, sizeof(T));
  const bool is_big = sample > kBig, is_tiled = groups_each < p.G;
  const bool is_shared = is_tiled || (is_big && bytes * threads > kHeld);
  const int64_t alone = is_shared ? 0 : is_big ? blocks / threads * threads : blocks;
  BlockSums sums(p, blocks);
  const Samples<T, A> samples{p, Rows(p, 0, p.G)};
  const auto take = [&](int64_t block, Bench<T, A>& bench) {
    for (int64_t n = block * at_once; n < least((block + 1) * at_once, p.N); ++n) {
      samples.alone(n, bench, sums.g(block));
    }
  };
  share<Bench<T, A>>(p.pool, alone, at_once * sample, Order::forwards, take, p, samples.rows);
  if (alone < blocks) tiles_together<T, A>(p, alone, groups_each, sums);
  sums.add_up();
}

}  // namespace groupnorm::LEVEL::gradient
