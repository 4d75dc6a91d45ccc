/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A management library of two GPUs that are not there: one tells everything, one nothing but its
 * address. test_health finds it in the place of the driver's.
 */
#include <string.h>

struct memory {
    unsigned long long total, free, used;
};

struct pci {
    char id_short[16];
    unsigned domain, bus, device, pci_device, pci_subsystem;
    char id[32];
};

static int first, second; /* what handles point to */

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **gpu);
int nvmlDeviceGetPciInfo_v3(void *gpu, struct pci *pci);
int nvmlDeviceGetTemperature(void *gpu, int sensor, unsigned *celsius);
int nvmlDeviceGetPowerUsage(void *gpu, unsigned *milliwatts);
int nvmlDeviceGetMemoryInfo(void *gpu, struct memory *memory);
int nvmlDeviceGetTotalEccErrors(void *gpu, int kind, int counter, unsigned long long *errors);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *gpu, unsigned long long *reasons);

int nvmlInit_v2(void)
{
    return 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = 2;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **gpu)
{
    *gpu = index ? &second : &first;
    return 0;
}

int nvmlDeviceGetPciInfo_v3(void *gpu, struct pci *pci)
{
    memcpy(pci->id, gpu == &first ? "00000000:0A:00.0" : "00000000:81:00.0", 17);
    return 0;
}

int nvmlDeviceGetTemperature(void *gpu, int sensor, unsigned *celsius)
{
    *celsius = 61;
    return gpu != &first || sensor != 0;
}

int nvmlDeviceGetPowerUsage(void *gpu, unsigned *milliwatts)
{
    *milliwatts = 312500;
    return gpu != &first;
}

int nvmlDeviceGetMemoryInfo(void *gpu, struct memory *memory)
{
    *memory = (struct memory){.total = 80ull << 30, .free = 60ull << 30, .used = 20ull << 30};
    return gpu != &first;
}

int nvmlDeviceGetTotalEccErrors(void *gpu, int kind, int counter, unsigned long long *errors)
{
    *errors = kind ? 2 : 7;
    return gpu != &first || counter != 0;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *gpu, unsigned long long *reasons)
{
    *reasons = 0x20;
    return gpu != &first;
}
