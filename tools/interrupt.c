/* Ctrl-C: long work notices and stops cleanly. */
#include <signal.h>

#include "tools/commands.h"

static volatile sig_atomic_t stop;
static sora_pipeline *volatile watched;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    stop = 1;
    sora_pipeline_cancel(watched); /* an atomic store; NULL is fine */
}

void interrupt_catch(void) {
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
#ifdef SIGPIPE
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of writing, not a signal */
#endif
}

int interrupted(void) { return stop; }

void interrupt_watch(sora_pipeline *pipeline) { watched = pipeline; }
