/* Lets the clock of processes jump: what they read of CLOCK_REALTIME is moved by the nanoseconds (int64) in the file that
 * CLOCK_OFFSET names. Other clocks are not moved, and no wait gets longer or shorter: a time that a process computed from the
 * moved clock is moved back before the kernel waits for it. Times of files are the kernel's, so they do not jump.
 *
 *   gcc -shared -fPIC -O2 -o clock.so clock.c;  CLOCK_OFFSET=<file> LD_PRELOAD=<path>/clock.so command
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NANO 1000000000LL
/* A condition does not say by which clock it waits. No machine has run for so many seconds: such a time is since 1970. */
#define SINCE_1970 1000000000LL

static const int64_t zero;
static const volatile int64_t *offset = &zero;

__attribute__((constructor)) static void map_offset(void) {
    const char *name = getenv("CLOCK_OFFSET");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) offset = page;
    close(file);
}

static struct timespec moved(struct timespec t, int64_t by) {
    int64_t all = t.tv_sec * NANO + t.tv_nsec + by;
    return (struct timespec){all / NANO, all % NANO};
}

static int is_real(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

/* The time to wait for, as the kernel counts. */
static const struct timespec *back(int real, const struct timespec *until, struct timespec *made) {
    if (!real || !until || until->tv_sec < SINCE_1970) return until;
    *made = moved(*until, -*offset);
    return made;
}

/* glibc has an old pthread_cond_timedwait, which dlsym may find. */
#define NEXT(name) ({ \
    static __typeof__(&name) found; \
    if (!found) found = (__typeof__(&name))dlvsym(RTLD_NEXT, #name, "GLIBC_2.3.2"); \
    if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    found; })

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = NEXT(clock_gettime)(clock, now);
    if (!failed && is_real(clock)) *now = moved(*now, *offset);
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec t;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    *now = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *now) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (now) *now = t.tv_sec;
    return t.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until) {
    struct timespec made;
    return NEXT(pthread_cond_timedwait)(c, m, back(1, until, &made));
}

int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock, const struct timespec *until) {
    struct timespec made;
    return NEXT(pthread_cond_clockwait)(c, m, clock, back(is_real(clock), until, &made));
}

int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until) {
    struct timespec made;
    return NEXT(pthread_mutex_timedlock)(m, back(1, until, &made));
}

int sem_timedwait(sem_t *s, const struct timespec *until) {
    struct timespec made;
    return NEXT(sem_timedwait)(s, back(1, until, &made));
}

int sem_clockwait(sem_t *s, clockid_t clock, const struct timespec *until) {
    struct timespec made;
    return NEXT(sem_clockwait)(s, clock, back(is_real(clock), until, &made));
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    struct timespec made;
    return NEXT(clock_nanosleep)(clock, flags, back((flags & TIMER_ABSTIME) && is_real(clock), until, &made), left);
}

/* Abseil, in Ray's processes, waits with a futex of its own. */
long syscall(long number, ...) {
    long a[6];
    struct timespec made;
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME)) a[3] = (long)back(1, (const struct timespec *)a[3], &made);
    return NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
