/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tidy_rules.h - the house's rules as tables: what test_tidy.c holds everybody to.
 */
#ifndef TESTS_TIDY_RULES_H
#define TESTS_TIDY_RULES_H

#define COLUMNS_MAX        100
#define FILE_LINES_MAX     800
#define FUNCTION_LINES_MAX 70

struct rule {
    const char *what, *where;
};

/* A room and what it may include besides itself: rooms, or single headers. */
static const struct rule rooms[] = {
    {"base", ""},
    {"store", "base"},
    {"codec", "base"},
    {"kernels", "base"},
    {"models", "base kernels"},
    {"moderation", "base store kernels models/weights.h models/tokenizer.h models/image_encoder.h"},
    {"watermark", "base store codec"},
    {"engine", "base store codec kernels models moderation watermark"},
    {"server", "base store codec kernels models moderation watermark engine"},
    {"tests", "base store codec kernels models moderation watermark engine server"},
    {"bench", "base store codec kernels models moderation watermark engine server"},
    {"tools", "base store codec kernels models moderation watermark engine server"},
};

/* How the headers of a guest begin, and how the paths begin of the files that may let it in. Tests
   of the codec and of what pictures must survive read files back with the guests themselves;
   bench/products.c times the guest. */
static const struct rule guests[] = {
    {"h2o", "server/http. server/http/"},
    {"jansson", "base/json."},
    {"openssl/", "base/crypto. base/sign.c base/certs.c server/http.c"},
    {"png", "codec/ tests/test_encode.c tests/test_decode.c tests/test_stranger.c"},
    {"webp/", "codec/ tests/test_encode.c tests/test_decode.c tests/test_stranger.c"},
    {"turbojpeg", "codec/ tests/test_encode.c tests/test_decode.c tests/test_stranger.c "
                  "tests/test_fingerprint.c"},
    {"jpeglib", "codec/ tests/test_encode.c tests/test_decode.c"},
    {"stb/", "codec/stranger/pixels.c"},
    {"dnnl", "kernels/onednn/ bench/products.c"},
    {"oneapi/", "kernels/onednn/ bench/products.c"},
    {"cuda", "kernels/cuda/ tests/cuda_on_cpu/"},
    {"cublas", "kernels/cuda/ tests/cuda_on_cpu/"},
    {"cudnn", "kernels/cuda/"},
    {"mma.h", "kernels/cuda/ tests/cuda_on_cpu/"},
    {"cooperative_groups", "kernels/cuda/ tests/cuda_on_cpu/"},
    {"cmath", "tests/cuda_on_cpu/"},
    {"cstring", "tests/cuda_on_cpu/"},
    {"tuple", "tests/cuda_on_cpu/"},
    {"cmocka", "tests/"},
    {"sqlite3", "store/"},
    {"libpq", "store/"},
    {"cyaml/", "server/config_file.c"},
    {"yaml.h", "server/config_file.c"},
    {"curl/", "server/bench/load.c server/webhook. server/hook. server/fetch.c"},
    {"pcre2", "moderation/pattern.c"},
    {"utf8proc", "models/tokenizer.c models/bpe.c models/unicode.c moderation/"},
};

/* A private folder, and how the paths begin of the files that are let into it: tests of what cannot
   be judged through a public header without the hardware; the load generator's command, and the
   tests of its parts; the arithmetic of the lead's page; what decodes strangers' pictures. */
static const struct rule kin[] = {
    {"server/desk/", "tests/test_numbers"},
    {"server/bench/", "server/command_bench.c tests/test_bench tests/fuzz/fuzz_bench.c"},
    {"codec/stranger/", "codec/stranger.c tests/test_stranger.c tests/fuzz/fuzz_stranger"},
    {"kernels/cuda/", "tests/test_cuda_ tests/cudnn/ tests/fuzz/"},
};

/* The C library, the system and the compiler: at home everywhere. */
static const char at_home[] =
    " assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h limits.h locale.h math.h "
    "setjmp.h signal.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h "
    "stdlib.h stdnoreturn.h string.h threads.h time.h uchar.h wchar.h wctype.h arpa/inet.h "
    "dirent.h dlfcn.h execinfo.h fcntl.h fnmatch.h fts.h ftw.h getopt.h glob.h grp.h langinfo.h "
    "linux/futex.h linux/seccomp.h linux/filter.h linux/audit.h malloc.h netdb.h netinet/in.h "
    "netinet/tcp.h poll.h pthread.h pwd.h regex.h sched.h semaphore.h spawn.h strings.h "
    "sys/auxv.h sys/epoll.h sys/eventfd.h sys/file.h sys/ioctl.h sys/mman.h sys/prctl.h "
    "sys/random.h sys/resource.h sys/select.h sys/signalfd.h sys/socket.h sys/stat.h "
    "sys/statvfs.h sys/syscall.h sys/sysinfo.h sys/time.h sys/timerfd.h sys/types.h sys/uio.h "
    "sys/un.h sys/utsname.h sys/wait.h syslog.h termios.h ucontext.h unistd.h cpuid.h "
    "immintrin.h arm_neon.h omp.h ";

/* A function and what to use instead. */
static const struct rule banned[] = {
    {"strcpy", "snprintf, or memcpy with a size"},
    {"sprintf", "snprintf"},
    {"vsprintf", "vsnprintf"},
    {"strtok", "strcspn, or strtok_r on text of your own"},
    {"gets", "fgets or getline"},
    {"rand", "base/rng.h, or crypto_random for secrets"},
    {"alloca", "a fixed array, or the arena"},
    {"system", "posix_spawn with an argument list"},
};

static const char *const unfinished[] = {"FIX" /* in two, for this very file */ "ME", "TO"
                                                                                      "DO"};

#endif /* TESTS_TIDY_RULES_H */
