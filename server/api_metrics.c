/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_metrics.h"

#include "server/desk_numbers.h"
#include "server/keeper.h"
#include "server/process.h"
#include "server/webhook.h"

#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void copy_gpus(struct service *s, struct metrics_page *page, struct health_gpu *room)
{
    pthread_mutex_lock(&s->gpus_lock);
    page->gpu_count = s->gpu_count;
    memcpy(room, s->gpus, sizeof(s->gpus));
    pthread_mutex_unlock(&s->gpus_lock);
    page->gpus = room;
}

void api_metrics_handle(struct service *s, struct http_request *r, const char *const *names,
                        int count)
{
    struct health_gpu gpus[HEALTH_GPUS_MAX];
    struct engine *e = service_take_engine(s);
    struct metrics_page page = {
        .version = LIMNER_VERSION,
        .names = names,
        .name_count = count,
        .judge = s->judge,
        .hook = atomic_load(&s->draining) ? NULL : s->hook, /* closed while it drains */
        .now_s = clock_unix_s()};
    struct engine_stats stats = {0};
    struct webhook_stats webhooks;
    struct desk_numbers reviews;
    struct process_use use;
    struct answer answer;

    if (e) {
        engines_get_stats(s->engines, &stats);
        page.stats = &stats;
        page.stages = engine_stages(e);
    }
    process_look(&use);
    copy_gpus(s, &page, gpus);
    const struct metrics_extra extra[] = {
        {"limner_ready", "1 when pictures are taken.", false, service_unready(s) ? 0 : 1},
        {"limner_http_connections", "Open connections.", false, http_connections(s->http)},
        {"limner_http_requests_inflight", "Requests whose answer has not left.", false,
         http_busy(s->http)},
        {"limner_jobs_open", "Promised jobs under way.", false, keeper_busy(s->keeper)},
        {"limner_seats", "Pictures that may step at the same time.", false, stats.seats},
        {"limner_pictures_waiting", "Pictures in the queue.", false, stats.waiting},
        {"limner_queue_oldest_seconds", "For how long who waits longest has waited.", false,
         (double)stats.oldest_us / 1e6},
        {"limner_pictures_seated", "Pictures that are being denoised.", false, stats.seated},
        {"limner_pictures_finishing", "Pictures that are being judged or encoded.", false,
         stats.finishing},
        {"limner_pictures_done_total", "Pictures made.", true, (double)stats.done},
        {"limner_pictures_failed_total", "Pictures that failed.", true, (double)stats.failed},
        {"limner_pictures_cancelled_total", "Pictures nobody waited for.", true,
         (double)stats.cancelled},
        {"limner_pictures_late_total", "Pictures whose deadline passed.", true, (double)stats.late},
        {"limner_pictures_withheld_total", "Pictures that were made, and blocked or held.", true,
         (double)stats.withheld},
        {"limner_forecasts_total", "Pictures whose end was foretold.", true,
         (double)stats.promises.count},
        {"limner_forecast_error_seconds_total", "By how much in all, early or late.", true,
         (double)stats.promises.wrong_us / 1e6},
        {"limner_device_busy_seconds_total",
         "Time that devices spent in texts, steps and decodings.", true,
         (double)stats.busy_us / 1e6},
        {"limner_denoise_steps_total", "Denoising steps, over all pictures.", true,
         (double)stats.steps},
        {"limner_model_swaps_total",
         "Times that other models were put in the place of those before.", true,
         (double)atomic_load(&s->swaps)},
        {"limner_model_swaps_failed_total", "Times that this was tried in vain; the log says why.",
         true, (double)atomic_load(&s->swaps_failed)},
        {"limner_model_swap_underway", "1 while other models are loaded.", false,
         atomic_load(&s->swapping)},
        {"limner_model_loaded_timestamp_seconds", "Since when these models serve, in Unix time.",
         false, (double)atomic_load(&s->loaded_s)},
        {"process_start_time_seconds", "When limner was started, in Unix time.", false,
         (double)s->started_s},
        {"process_cpu_seconds_total", "Processor time of all threads.", true, use.cpu_s},
        {"process_resident_memory_bytes", "Memory in RAM.", false, use.resident_bytes},
        {"process_virtual_memory_bytes", "Memory that is mapped.", false, use.virtual_bytes},
        {"process_open_fds", "Open files and sockets.", false, use.open_fds},
        {"process_max_fds", "And how many there may be.", false, use.max_fds},
    };
    if (s->desk) {
        desk_look(s->desk, &reviews);
        page.reviews = &reviews;
    }
    if (s->webhook) {
        webhook_get_stats(s->webhook, &webhooks);
        page.webhooks = &webhooks;
    }
    page.marker = s->marker;
    page.extra = extra;
    page.extra_count = COUNT_OF(extra);
    answer_text(&answer, 200, "text/plain; version=0.0.4", NULL);
    if (metrics_write(&s->metrics, &page, &answer.raw))
        answer_fail_http(&answer, 503, (struct failure){0}, "the server is out of memory");
    if (e)
        engines_put(s->engines, e);
    http_answer(r, &answer);
}
