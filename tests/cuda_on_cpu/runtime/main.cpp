// Runs what standard input describes on a module's kernels and writes back what they wrote.
//
//   machine MODULE.so < description > contents
//
// All numbers are 64-bit, little-endian; a text is its length and its bytes. The description:
//   seed; count of buffers, each: name, bytes, address modulo 256, unit, access (0 read, 1 write, 2 update) and, where
//   it is not only written, its contents; count of launches, each: kernel's name, grid (3), block (3), cluster (3),
//   cooperative, bytes of shared memory, count of arguments, each: 0 and a text of its bytes, or 1, buffer, offset.
// The contents are those of the buffers that are not only read, in order. A fault is one line on standard error.

#include <dlfcn.h>
#include <link.h>

#include <cstring>
#include <string>
#include <vector>

#include "machine.h"
#include "watch.h"

#ifdef ADDRESS
#include <sanitizer/asan_interface.h>
#endif

namespace {

void read_bytes(void* to, std::size_t bytes) {
  if (std::fread(to, 1, bytes, stdin) != bytes) fail("description: it ends too early");
}

std::uint64_t number() {
  std::uint64_t v;
  read_bytes(&v, sizeof(v));
  return v;
}

std::string text() {
  std::string s(number(), '\0');
  read_bytes(s.data(), s.size());
  return s;
}

Dim dim() {
  Dim d;
  d.x = static_cast<unsigned>(number());
  d.y = static_cast<unsigned>(number());
  d.z = static_cast<unsigned>(number());
  return d;
}

struct Buffer {
  char* begin;
  std::size_t bytes;
  Access access;
};

Buffer read_buffer() {
  const std::string name = text();
  const std::size_t bytes = number(), modulo = number(), unit = number();
  const Access access = static_cast<Access>(number());
  // Room on both sides: what lies near a buffer's ends is nobody's.
  constexpr std::size_t room = WATCHED ? 65536 : 256;
  const std::size_t all = room + modulo + bytes + (WATCHED ? room : 0);
  char* block = static_cast<char*>(std::aligned_alloc(256, (all + 255) / 256 * 256));
  if (block == nullptr) fail("description: no memory for " + name);
  char* begin = block + room + modulo;
#ifdef ADDRESS
  // The function: its macro does nothing in code that is not itself compiled for the sanitizer.
  __asan_poison_memory_region(block, room + modulo);
  __asan_poison_memory_region(begin + bytes, (256 - (modulo + bytes) % 256) % 256);
#endif
  if (access == Access::WRITE) {
    std::memset(begin, 0xFF, bytes);  // a NaN
  } else {
    read_bytes(begin, bytes);
  }
  watch_buffer(name, begin, bytes, unit, access);
  return {begin, bytes, access};
}

const CudaOnCpuKernel* kernel_named(const CudaOnCpuModule& module, const std::string& name) {
  for (std::size_t i = 0; i < module.count; ++i) {
    if (name == module.kernels[i].name) return &module.kernels[i];
  }
  fail("description: no kernel " + name);
}

// Each on its own, as aligned as any type is.
using Arguments = std::vector<std::vector<char>>;

Launch read_launch(const CudaOnCpuModule& module, const std::vector<Buffer>& buffers, Arguments& arguments) {
  Launch launch;
  const std::string name = text();
  launch.kernel = kernel_named(module, name);
  launch.grid = dim();
  launch.block = dim();
  launch.cluster = dim();
  launch.cooperative = number() != 0;
  launch.shared_bytes = number();
  const std::uint64_t count = number();
  if (count != launch.kernel->arguments)
    fail("description: " + name + " takes " + std::to_string(launch.kernel->arguments) + " arguments, not " +
         std::to_string(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string bytes;
    if (number() == 0) {
      bytes = text();
    } else {
      const std::uint64_t buffer = number();
      const char* address = buffers.at(buffer).begin + number();
      bytes.assign(reinterpret_cast<const char*>(&address), sizeof(address));
    }
    if (bytes.size() != launch.kernel->sizes[i]) {
      fail("description: argument " + std::to_string(i) + " of " + name + " has " +
           std::to_string(launch.kernel->sizes[i]) + " bytes, not " + std::to_string(bytes.size()));
    }
    arguments.emplace_back(bytes.begin(), bytes.end());
  }
  for (auto& held : arguments) {
    launch.arguments.push_back(held.data());
    watch_buffer("an argument by value", held.data(), held.size(), 1, Access::READ);
  }
  watch_buffer("the arguments' places", launch.arguments.data(), count * sizeof(void*), 1, Access::READ);
  return launch;
}

int watch_segments(dl_phdr_info* info, std::size_t, void* base) {
  if (reinterpret_cast<void*>(info->dlpi_addr) != base) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) & segment = info->dlpi_phdr[i];
    if (segment.p_type == PT_LOAD)
      watch_module(reinterpret_cast<char*>(info->dlpi_addr) + segment.p_vaddr, segment.p_memsz, base);
  }
  return 1;
}

}  // namespace

int main(int, char** words) {
  void* library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail(std::string("module: ") + dlerror());
  const auto describe = reinterpret_cast<CudaOnCpuModule (*)()>(dlsym(library, "cuda_on_cpu_module"));
  const CudaOnCpuModule module = describe();
  Dl_info where;
  dladdr(reinterpret_cast<void*>(describe), &where);
  dl_iterate_phdr(watch_segments, where.dli_fbase);

  Machine machine(module, number());
  g_machine = &machine;
  std::vector<Buffer> buffers(number());
  for (Buffer& buffer : buffers) buffer = read_buffer();
  std::vector<Arguments> arguments(number());
  for (Arguments& held : arguments) {
    const Launch launch = read_launch(module, buffers, held);
    watch_launch_begins();
    machine.run(launch);
  }
  for (const Buffer& buffer : buffers) {
    if (buffer.access != Access::READ) std::fwrite(buffer.begin, 1, buffer.bytes, stdout);
  }
  std::fflush(stdout);
  std::_Exit(0);
}
