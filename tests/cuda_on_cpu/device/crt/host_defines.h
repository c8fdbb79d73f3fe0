// Stands for NVIDIA's file, which the runtime package lacks: everything it defines is in cuda_on_cpu.h.
#pragma once
