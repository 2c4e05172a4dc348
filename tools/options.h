/* The command line: a table of options drives parsing and --help of every command. */
#ifndef SORA_TOOLS_OPTIONS_H
#define SORA_TOOLS_OPTIONS_H

enum option_kind { OPTION_FLAG, OPTION_INT, OPTION_NUMBER, OPTION_TEXT, OPTION_SIZE, OPTION_CHOICE, OPTION_LIST };

/* What a LIST collects: the option may be given several times. */
#define OPTION_LIST_MAX 16
typedef struct option_list {
    const char *items[OPTION_LIST_MAX];
    int count;
} option_list;

typedef struct option {
    const char *name; /* "seed": used as --seed; a short form may follow as "prompt|p" */
    enum option_kind kind;
    void *to; /* int * for FLAG, long long *, double *, const char **, int[2] for SIZE, long long * for CHOICE: 0, 1,
               .., option_list * for LIST */
    const char *value; /* what --help shows: "N", "FILE", "WxH"; of a CHOICE its words: "f32|bf16" */
    const char *help;
    double lowest, highest; /* of INT and NUMBER; both 0: any */
} option;
#define OPTIONS_END                                                                                                    \
    { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 }

typedef struct command_help {
    const char *usage; /* "sora train RECIPE [options]" */
    const char *about; /* a sentence or a few lines */
    const char *more;  /* after the options: examples; or NULL */
} command_help;

/* Exit codes of the program. */
#define EXIT_DONE     0
#define EXIT_FAILED   1
#define EXIT_USAGE    2
#define OPTIONS_GO_ON (-1)

/* Reads argv[1..]. Words that are no options go to positional (at most `most`; *count says how many). table ends with a
 * NULL name. Returns OPTIONS_GO_ON, or the exit code: EXIT_DONE after --help, EXIT_USAGE after printing one line that
 * says what is wrong. */
int options_parse(const option *table, const command_help *help, int argc, char **argv, const char **positional,
                  int most, int *count);

/* One line on stderr: "sora: " and the text, at most 500 bytes, control characters replaced. Returns `code`. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int complain(int code, const char *format, ...);

#endif
