// Runs the jobs of Swift's global executor.
//
// The runtime's own executor is libdispatch's. It traps if it cannot get a file descriptor (epoll_create1,
// eventfd) or find /proc, and hangs if it cannot get a thread, but a program that lacks these should report that
// and exit. The runtime calls these hooks first (swift/ABI/Executor.h,
// stdlib/public/Concurrency/GlobalExecutor.cpp).

#define _GNU_SOURCE
#include "CTallystickCLI.h"

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#define SWIFT __attribute__((swiftcall))

/// The beginning of swift::Job (swift/ABI/Task.h).
typedef struct Job {
    void *object[2];
    /// Reserved for the executor: the next job of its queue, and when the job is due.
    struct Job *next;
    uint64_t due;
} Job;

typedef SWIFT void (*Enqueue)(Job *);
typedef SWIFT void (*EnqueueAfter)(unsigned long long, Job *);
typedef SWIFT void (*EnqueueAt)(long long, long long, long long, long long, int, Job *);

extern SWIFT void (*swift_task_enqueueGlobal_hook)(Job *, Enqueue);
extern SWIFT void (*swift_task_enqueueGlobalWithDelay_hook)(
    unsigned long long, Job *, EnqueueAfter);
extern SWIFT void (*swift_task_enqueueGlobalWithDeadline_hook)(
    long long, long long, long long, long long, int, Job *, EnqueueAt);
/// An executor is two words; both are zero for the global one.
extern SWIFT void swift_job_run(Job *, void *identity, uintptr_t implementation);

enum {
    /// One thread may wait for slow output while another continues.
    threads = 2,
    /// The usual stack size of a program's main thread.
    stack_bytes = 8 << 20,
    /// The runtime's number for ContinuousClock, which includes time asleep.
    continuous_clock = 1,
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static Job *first;
static Job *last;
/// Ordered by due time.
static Job *delayed;

static uint64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static SWIFT void enqueue(Job *job, Enqueue original) {
    (void)original;
    pthread_mutex_lock(&mutex);
    job->next = NULL;
    if (first) last->next = job;
    else first = job;
    last = job;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

static void enqueue_at(uint64_t due, Job *job) {
    pthread_mutex_lock(&mutex);
    Job **place = &delayed;
    while (*place && (*place)->due <= due) place = &(*place)->next;
    job->due = due;
    job->next = *place;
    *place = job;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

static SWIFT void enqueue_with_delay(unsigned long long delay, Job *job, EnqueueAfter original) {
    (void)original;
    uint64_t time = now(CLOCK_MONOTONIC);
    enqueue_at(delay > UINT64_MAX - time ? UINT64_MAX : time + delay, job);
}

static SWIFT void enqueue_with_deadline(
    long long seconds, long long nanoseconds, long long tolerance_seconds,
    long long tolerance_nanoseconds, int clock, Job *job, EnqueueAt original) {
    (void)tolerance_seconds, (void)tolerance_nanoseconds, (void)original;
    uint64_t there = now(clock == continuous_clock ? CLOCK_BOOTTIME : CLOCK_MONOTONIC);
    uint64_t due = seconds < 0 ? 0 : seconds > INT64_MAX / 1000000000 - 1
        ? INT64_MAX : (uint64_t)seconds * 1000000000u + (uint64_t)nanoseconds;
    enqueue_at(now(CLOCK_MONOTONIC) + (due > there ? due - there : 0), job);
}

/// Waits for the next job. The caller must hold `mutex`.
static Job *take(void) {
    for (;;) {
        if (delayed && delayed->due <= now(CLOCK_MONOTONIC)) {
            Job *job = delayed;
            delayed = job->next;
            return job;
        }
        if (first) {
            Job *job = first;
            first = job->next;
            return job;
        }
        if (delayed) {
            struct timespec time = {
                .tv_sec = (time_t)(delayed->due / 1000000000u),
                .tv_nsec = (long)(delayed->due % 1000000000u),
            };
            pthread_cond_timedwait(&changed, &mutex, &time);
        } else {
            pthread_cond_wait(&changed, &mutex);
        }
    }
}

static void *work(void *context) {
    (void)context;
    for (;;) {
        pthread_mutex_lock(&mutex);
        Job *job = take();
        pthread_mutex_unlock(&mutex);
        swift_job_run(job, NULL, 0);
    }
    return NULL;
}

int tally_start_executor(void) {
    pthread_condattr_t condition;
    pthread_condattr_init(&condition);
    pthread_condattr_setclock(&condition, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &condition);
    pthread_condattr_destroy(&condition);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int result = 0;
    for (int index = 0; index < threads && result == 0; index++) {
        pthread_t thread;
        result = pthread_create(&thread, &attributes, work, NULL);
    }
    pthread_attr_destroy(&attributes);
    if (result != 0) return result;
    swift_task_enqueueGlobal_hook = enqueue;
    swift_task_enqueueGlobalWithDelay_hook = enqueue_with_delay;
    swift_task_enqueueGlobalWithDeadline_hook = enqueue_with_deadline;
    return 0;
}
