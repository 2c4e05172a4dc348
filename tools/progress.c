#include "tools/progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double clock_seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void put_time(char *out, size_t size, double seconds) {
    const long s = seconds > 0 ? (long)(seconds + 0.5) : 0;
    if (s >= 3600)
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
}

void progress_begin(progress *p, const char *what, int quiet) {
    memset(p, 0, sizeof *p);
    p->what = what;
    p->begin = clock_seconds();
    p->terminal = isatty(STDERR_FILENO);
    p->quiet = quiet;
    p->drawn = p->terminal ? 0.0 : p->begin;
}

void progress_show(progress *p, double fraction, const char *note) {
    const double now = clock_seconds();
    if (p->quiet || ((fraction < 1.0 || !p->terminal) && now - p->drawn < (p->terminal ? 0.1 : 30.0))) return;
    p->drawn = now;
    char left[32], bar[25];
    const double spent = now - p->begin;
    put_time(left, sizeof left, fraction > 0.0 ? spent / fraction - spent : 0.0);
    const int full = (int)(fraction * 24.0 + 0.5);
    for (int i = 0; i < 24; i++) bar[i] = i < full ? '#' : '.';
    bar[24] = 0;
    fprintf(stderr, p->terminal ? "\r%s [%s] %3.0f%%  %s left  %s\x1b[K" : "%s [%s] %3.0f%%  %s left  %s\n", p->what,
            bar, fraction * 100.0, left, note ? note : "");
    fflush(stderr);
}

void progress_clear(progress *p) {
    if (!p->quiet && p->terminal) fprintf(stderr, "\r\x1b[K");
}

void progress_end(progress *p, const char *note) {
    if (p->quiet) return;
    char spent[32];
    put_time(spent, sizeof spent, clock_seconds() - p->begin);
    fprintf(stderr, "%s%s  %s  %s%s\n", p->terminal ? "\r" : "", p->what, spent, note ? note : "",
            p->terminal ? "\x1b[K" : "");
}
