/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/health.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The few words of NVML that are needed here, as its manual has them ("NVML API Reference Guide"):
   calls return 0 when all went well. */
enum {
    NVML_TEMPERATURE_GPU = 0,
    NVML_ECC_CORRECTED = 0,
    NVML_ECC_UNCORRECTED = 1,
    NVML_ECC_VOLATILE = 0,
};

/* Reasons for lower clocks: software power cap, hardware slowdown, software and hardware heat,
   hardware power brake. */
#define NVML_SLOWED (0x4ull | 0x8ull | 0x20ull | 0x40ull | 0x80ull)

struct nvml_memory {
    unsigned long long total, free, used;
};

struct nvml_pci {
    char id_short[16];
    unsigned domain, bus, device, pci_device, pci_subsystem;
    char id[32];
};

struct health {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *);
    int (*by_index)(unsigned, void **);
    int (*pci)(void *, struct nvml_pci *);
    int (*temperature)(void *, int, unsigned *);
    int (*power)(void *, unsigned *); /* mW */
    int (*memory)(void *, struct nvml_memory *);
    int (*ecc)(void *, int, int, unsigned long long *);
    int (*slowed)(void *, unsigned long long *);
};

/* POSIX gives functions and data the same kind of address; C does not say so. */
static int look_up(const struct health *h, void *function, const char *name)
{
    void *address = dlsym(h->library, name);

    memcpy(function, &address, sizeof(address));
    return address != NULL;
}

struct health *health_open(void)
{
    struct health *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (h->library && look_up(h, &h->init, "nvmlInit_v2") &&
        look_up(h, &h->shutdown, "nvmlShutdown") &&
        look_up(h, &h->count, "nvmlDeviceGetCount_v2") &&
        look_up(h, &h->by_index, "nvmlDeviceGetHandleByIndex_v2") &&
        look_up(h, &h->pci, "nvmlDeviceGetPciInfo_v3") &&
        look_up(h, &h->temperature, "nvmlDeviceGetTemperature") &&
        look_up(h, &h->power, "nvmlDeviceGetPowerUsage") &&
        look_up(h, &h->memory, "nvmlDeviceGetMemoryInfo") &&
        look_up(h, &h->ecc, "nvmlDeviceGetTotalEccErrors") &&
        look_up(h, &h->slowed, "nvmlDeviceGetCurrentClocksThrottleReasons") && h->init() == 0)
        return h;
    if (h->library)
        dlclose(h->library);
    free(h);
    return NULL;
}

void health_close(struct health **health)
{
    struct health *h = *health;

    if (!h)
        return;
    h->shutdown();
    dlclose(h->library);
    free(h);
    *health = NULL;
}

static double ecc_of(const struct health *h, void *gpu, int kind)
{
    unsigned long long errors;

    return h->ecc(gpu, kind, NVML_ECC_VOLATILE, &errors) ? HEALTH_UNKNOWN : (double)errors;
}

static void read_one(const struct health *h, void *gpu, struct health_gpu *out)
{
    struct nvml_memory memory;
    unsigned long long reasons;
    unsigned value;

    out->temperature_celsius =
        h->temperature(gpu, NVML_TEMPERATURE_GPU, &value) ? HEALTH_UNKNOWN : (double)value;
    out->power_watts = h->power(gpu, &value) ? HEALTH_UNKNOWN : (double)value * 1e-3;
    out->memory_used_bytes = out->memory_total_bytes = HEALTH_UNKNOWN;
    if (h->memory(gpu, &memory) == 0) {
        out->memory_used_bytes = (double)memory.used;
        out->memory_total_bytes = (double)memory.total;
    }
    out->ecc_corrected = ecc_of(h, gpu, NVML_ECC_CORRECTED);
    out->ecc_uncorrected = ecc_of(h, gpu, NVML_ECC_UNCORRECTED);
    out->slowed = h->slowed(gpu, &reasons) ? HEALTH_UNKNOWN : (reasons & NVML_SLOWED) != 0;
}

int health_read(struct health *h, struct health_gpu gpus[HEALTH_GPUS_MAX])
{
    unsigned there = 0;
    int count = 0;

    if (!h || h->count(&there))
        return 0;
    for (unsigned i = 0; i < there && count < HEALTH_GPUS_MAX; i++) {
        struct nvml_pci pci = {{0}, 0, 0, 0, 0, 0, {0}};
        void *gpu;

        if (h->by_index(i, &gpu) || h->pci(gpu, &pci))
            continue;
        snprintf(gpus[count].pci, sizeof(gpus[count].pci), "%.31s", pci.id);
        read_one(h, gpu, &gpus[count++]);
    }
    return count;
}
