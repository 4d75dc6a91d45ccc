/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/stranger/lock.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* What malloc, read, write and _exit come to; futex: the guests' mutexes. */
static const int allowed[] = {SYS_read,   SYS_write,   SYS_brk,        SYS_mmap,  SYS_munmap,
                              SYS_mremap, SYS_madvise, SYS_exit_group, SYS_futex, SYS_getrandom};

enum { ALLOWED = sizeof(allowed) / sizeof(allowed[0]) };

static bool limit(int what, uint64_t most)
{
    const struct rlimit to = {most, most};

    return !setrlimit((__rlimit_resource_t)what, &to);
}

/* The filter is: another kind of machine dies; memory for code dies; the table is allowed; death.
 */
static bool filter(void)
{
    struct sock_filter program[8 + 2 * ALLOWED];
    struct sock_fprog all = {.filter = program};
    unsigned n = 0;

    program[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LOCK_ARCH, 1, 0);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    program[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < ALLOWED; i++) {
        if (allowed[i] == SYS_mmap) { /* its third argument comes last, below */
            program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap,
                                                        (uint8_t)(2 * (ALLOWED - 1 - i) + 1), 0);
            continue;
        }
        program[n++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
        program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                offsetof(struct seccomp_data, args[2]));
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    all.len = (unsigned short)n;
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all);
}

bool lock_self(void)
{
    return limit(RLIMIT_CPU, LOCK_SECONDS) && limit(RLIMIT_AS, LOCK_MEMORY) &&
           limit(RLIMIT_NOFILE, 0) && limit(RLIMIT_NPROC, 0) && limit(RLIMIT_CORE, 0) &&
           limit(RLIMIT_FSIZE, 0) && !prctl(PR_SET_DUMPABLE, 0) && filter();
}
