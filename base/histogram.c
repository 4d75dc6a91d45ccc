/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include <assert.h>
#include <math.h>

#define EXACT      100 /* values below have a bucket each */
#define PER_DECADE 70
#define DECADES    8

static int bucket_of(uint64_t value)
{
    uint64_t scale = 1; /* brings the value to 100 ... 999 */
    int decade = 0, lead;

    if (value < EXACT)
        return (int)value;
    if (value > HISTOGRAM_MAX)
        value = HISTOGRAM_MAX;
    while (value >= 1000 * scale) {
        scale *= 10;
        decade++;
    }
    lead = (int)(value / scale);
    if (lead < 200)
        lead = (lead - 100) / 5;
    else if (lead < 500)
        lead = 20 + (lead - 200) / 10;
    else
        lead = 50 + (lead - 500) / 25;
    return EXACT + decade * PER_DECADE + lead;
}

/* The first value of a bucket; of the one after the last, too. */
static uint64_t border_of(int bucket)
{
    int decade = (bucket - EXACT) / PER_DECADE, step = (bucket - EXACT) % PER_DECADE;
    uint64_t lead;

    if (bucket < EXACT)
        return (uint64_t)bucket;
    if (step < 20)
        lead = 100 + (uint64_t)step * 5;
    else if (step < 50)
        lead = 200 + (uint64_t)(step - 20) * 10;
    else
        lead = 500 + (uint64_t)(step - 50) * 25;
    while (decade--)
        lead *= 10;
    return lead;
}

static uint64_t get(const uint64_t *number)
{
    return __atomic_load_n(number, __ATOMIC_RELAXED);
}

void histogram_record(struct histogram *h, uint64_t value)
{
    __atomic_fetch_add(&h->bucket[bucket_of(value)], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&h->sum, value, __ATOMIC_RELAXED);
    __atomic_fetch_add(&h->count, 1, __ATOMIC_RELAXED);
}

/* The count of what is written is what the buckets say: `from` may be recorded into meanwhile. */
void histogram_add(struct histogram *to, const struct histogram *from)
{
    if (!get(&from->count))
        return;
    to->sum += get(&from->sum);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t more = get(&from->bucket[i]);

        to->bucket[i] += more;
        to->count += more;
    }
}

void histogram_subtract(struct histogram *from, const struct histogram *before)
{
    from->count -= before->count;
    from->sum -= before->sum;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        from->bucket[i] -= before->bucket[i];
}

bool histogram_is_border(uint64_t value)
{
    return value == HISTOGRAM_MAX + 1 ||
           (value <= HISTOGRAM_MAX && border_of(bucket_of(value)) == value);
}

uint64_t histogram_between(const struct histogram *h, uint64_t from, uint64_t to)
{
    int end = to > HISTOGRAM_MAX ? HISTOGRAM_BUCKETS : bucket_of(to);
    uint64_t count = 0;

    assert(histogram_is_border(from) && histogram_is_border(to) && from <= to);
    for (int i = from > HISTOGRAM_MAX ? end : bucket_of(from); i < end; i++)
        count += h->bucket[i];
    return count;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
    uint64_t rank = (uint64_t)ceil(share * (double)h->count), passed = 0;

    assert(share > 0 && share <= 1);
    if (!h->count)
        return 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        passed += h->bucket[i];
        if (passed >= rank)
            return (border_of(i) + border_of(i + 1)) / 2;
    }
    return HISTOGRAM_MAX;
}
