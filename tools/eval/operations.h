/* The table of `sora eval --operations`. */
#ifndef SORA_TOOLS_EVAL_OPERATIONS_H
#define SORA_TOOLS_EVAL_OPERATIONS_H

#include "tools/eval/judge.h"

typedef struct operations_opts {
    const char *rows;  /* "animate,loop"; NULL: all */
    const char *sheet; /* NULL: none */
    const param_options *params; /* for all commands */
    long long count;
    double seconds; /* of the long video */
    int json, quiet;
} operations_opts;

/* Measures and prints. Returns the program's exit code. */
int eval_operations(judge *j, const session_opts *opts, const operations_opts *o);
/* Whether the list names rows that there are; a line and EXIT_USAGE when not. */
int eval_operations_check(const char *rows);

#endif
