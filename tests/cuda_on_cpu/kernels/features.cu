// One small kernel for each thing that the machine gives; the tests plant a fault in each.

// Dynamic shared memory and 16-byte accesses: a block's 16-byte pieces in reverse.
extern __shared__ uint4 s_pieces[];

extern "C" __global__ void reverse(const uint4* __restrict__ g_in, uint4* __restrict__ g_out) {
  const unsigned first = blockIdx.x * blockDim.x;
  s_pieces[threadIdx.x] = device::load16(g_in + first + threadIdx.x);
  __syncthreads();
  device::store16(g_out + first + threadIdx.x, s_pieces[blockDim.x - 1 - threadIdx.x]);
}

// Warps and votes: for each warp its sum, its largest, the lanes with odd values; and how many are odd in the block.
extern "C" __global__ void vote(const int* __restrict__ g_in, int* __restrict__ g_out) {
  const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x;
  const int v = g_in[thread];
  int sum = v, largest = v;
  for (int other = 16; other > 0; other /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, other);
  for (int delta = 16; delta > 0; delta /= 2) largest = max(largest, __shfl_down_sync(0xFFFFFFFFu, largest, delta));
  const unsigned odd = __ballot_sync(0xFFFFFFFFu, v & 1);
  const int all_odd = __syncthreads_count(v & 1);
  if (thread % 32 == 0) {
    int* g_mine = g_out + thread / 32 * 4;
    g_mine[0] = sum;
    g_mine[1] = largest;
    g_mine[2] = static_cast<int>(odd);
    g_mine[3] = all_odd;
  }
}

// A cluster: every block tells every other one its number through their shared memory.
extern "C" __global__ void gather(float* __restrict__ g_out, int size) {
  __shared__ float4 s_all[16];
  const unsigned rank = device::cluster_rank();
  device::cluster_arrive();
  device::cluster_wait();
  if (threadIdx.x < size) {
    const float number = static_cast<float>(blockIdx.x);
    device::store_remote16(s_all + rank, threadIdx.x, float4{number, number, number, number});
  }
  device::cluster_arrive();
  device::cluster_wait();
  if (threadIdx.x < size) g_out[blockIdx.x * size + threadIdx.x] = s_all[threadIdx.x].z;
}

// A cooperative grid: every block sums what all have written, behind a barrier of a counter.
extern "C" __global__ void everybody(float* g_slots, unsigned* g_counter, float* __restrict__ g_out) {
  __shared__ float s_mine[1];
  if (threadIdx.x == 0) s_mine[0] = static_cast<float>(blockIdx.x + 1);
  __syncthreads();
  if (threadIdx.x == 1) g_slots[blockIdx.x] = s_mine[0];
  __syncthreads();
  if (threadIdx.x == 0) {
    device::add_release(g_counter, 1u);
    while (device::load_acquire(g_counter) < gridDim.x) device::pause();
  }
  __syncthreads();
  float sum = 0.0f;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += g_slots[i];
  if (threadIdx.x == 2) g_out[blockIdx.x] = sum;
}

// The last block to come sums what the others left: fences and a counter without order of its own.
extern "C" __global__ void last(float* g_slots, unsigned* g_counter, float* __restrict__ g_out) {
  __shared__ unsigned s_before;
  g_slots[blockIdx.x * blockDim.x + threadIdx.x] = static_cast<float>(threadIdx.x);
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) s_before = atomicAdd(g_counter, 1u);
  __syncthreads();
  if (s_before != gridDim.x - 1) return;
  __threadfence();
  if (threadIdx.x > 0) return;
  float sum = 0.0f;
  for (unsigned i = 0; i < gridDim.x * blockDim.x; ++i) sum += g_slots[i];
  g_out[0] = sum;
}

// Copies that arrive later: two batches, the first used while the second is on its way.
extern "C" __global__ void copies(const float4* __restrict__ g_in, float4* __restrict__ g_out) {
  __shared__ float4 s_held[2][32];
  for (int batch = 0; batch < 2; ++batch) {
    device::copy_async16(&s_held[batch][threadIdx.x], g_in + batch * 32 + threadIdx.x);
    device::copy_commit();
  }
  for (int batch = 0; batch < 2; ++batch) {
    device::copy_wait(1 - batch);
    __syncwarp();
    g_out[batch * 32 + threadIdx.x] = s_held[batch][31 - threadIdx.x];
  }
}
