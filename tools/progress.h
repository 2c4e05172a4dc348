/* A progress bar on stderr with time left; nothing is drawn when stderr is not a terminal, but a line now and then. */
#ifndef SORA_TOOLS_PROGRESS_H
#define SORA_TOOLS_PROGRESS_H

typedef struct progress {
    const char *what;
    double begin, drawn; /* seconds: when it began, when it was last drawn */
    int terminal, quiet, width;
} progress;

double clock_seconds(void);
void progress_begin(progress *p, const char *what, int quiet);
/* fraction 0..1; note: a few words at the right, or NULL. */
void progress_show(progress *p, double fraction, const char *note);
void progress_clear(progress *p);                 /* takes the bar away, for an error line */
void progress_end(progress *p, const char *note); /* leaves a last line */

#endif
