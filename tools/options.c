#include "tools/options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the character at c; 0 when it is none that may be printed: damaged UTF-8, or a control character. */
static int printable(const unsigned char *c) {
    if (c[0] < 0x80) return c[0] >= 0x20 && c[0] != 0x7f;
    const int n = c[0] >= 0xc2 && c[0] < 0xe0   ? 2
                  : c[0] >= 0xe0 && c[0] < 0xf0 ? 3
                  : c[0] >= 0xf0 && c[0] < 0xf5 ? 4
                                                : 0;
    for (int i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    return n == 2 && c[0] == 0xc2 && c[1] < 0xa0 ? 0 : n;
}

int complain(int code, const char *format, ...) {
    char line[500];
    va_list args;
    va_start(args, format);
    if (vsnprintf(line, sizeof line - 8, format, args) < 0) line[0] = 0;
    va_end(args);
    for (unsigned char *c = (unsigned char *)line; *c;) {
        const int n = printable(c);
        if (!n) *c = '?';
        c += n ? n : 1;
    }
    fprintf(stderr, "sora: %s\n", line);
    return code;
}

/* Which of the words in "name|n" the n bytes at `word` are; -1: none. */
static int find_word(const char *names, const char *word, size_t n) {
    for (int i = 0; *names; i++) {
        const size_t length = strcspn(names, "|");
        if (length == n && memcmp(names, word, n) == 0) return i;
        names += length + (names[length] == '|');
    }
    return -1;
}

static int matches(const char *names, const char *word, size_t n) { return find_word(names, word, n) >= 0; }

static void print_help(const option *table, const command_help *help) {
    printf("usage: %s\n%s\n\n", help->usage, help->about);
    for (; table->name; table++) {
        const char *bar = strchr(table->name, '|');
        char left[64];
        snprintf(left, sizeof left, "%s%.*s%s--%.*s%s%s", bar ? "-" : "", bar ? 1 : 0, bar ? bar + 1 : "",
                 bar ? ", " : "", (int)strcspn(table->name, "|"), table->name, table->value ? " " : "",
                 table->value ? table->value : "");
        if (strlen(left) > 24)
            printf("  %s\n  %-24s %s\n", left, "", table->help);
        else
            printf("  %-24s %s\n", left, table->help);
    }
    printf("  %-24s %s\n", "--help", "this text");
    if (help->more) printf("\n%s\n", help->more);
}

static int read_value(const option *o, const char *text) {
    char *end = NULL;
    int used = 0;
    errno = 0;
    switch (o->kind) {
    case OPTION_INT:
        *(long long *)o->to = strtoll(text, &end, 10);
        return *text && !*end && !errno;
    case OPTION_NUMBER:
        *(double *)o->to = strtod(text, &end);
        return *text && !*end && isfinite(*(double *)o->to);
    case OPTION_SIZE:
        return sscanf(text, "%5dx%5d%n", (int *)o->to, (int *)o->to + 1, &used) == 2 && !text[used] &&
               ((int *)o->to)[0] > 0 && ((int *)o->to)[1] > 0;
    case OPTION_CHOICE:
        used = find_word(o->value, text, strlen(text));
        *(long long *)o->to = used;
        return used >= 0 && *text;
    case OPTION_LIST:
        if (((option_list *)o->to)->count == OPTION_LIST_MAX) return 0;
        ((option_list *)o->to)->items[((option_list *)o->to)->count++] = text;
        return 1;
    case OPTION_TEXT:
    case OPTION_FLAG:
    default:
        *(const char **)o->to = text;
        return 1;
    }
}

/* EXIT_DONE, or the usage error: the value is none of its kind, or out of range. */
static int take_value(const option *o, const char *text) {
    const int length = (int)strcspn(o->name, "|");
    if (!read_value(o, text))
        return o->kind == OPTION_CHOICE
                   ? complain(EXIT_USAGE, "option --%.*s: %s is none of %s", length, o->name, text, o->value)
                   : complain(EXIT_USAGE, "option --%.*s: %s is no %s", length, o->name, text, o->value);
    if ((o->kind != OPTION_INT && o->kind != OPTION_NUMBER) || (o->lowest == 0.0 && o->highest == 0.0))
        return EXIT_DONE;
    const double value = o->kind == OPTION_INT ? (double)*(long long *)o->to : *(double *)o->to;
    return value >= o->lowest && value <= o->highest ? EXIT_DONE
                                                     : complain(EXIT_USAGE, "option --%.*s: %s is outside %.16g..%.16g",
                                                                length, o->name, text, o->lowest, o->highest);
}

int options_parse(const option *table, const command_help *help, int argc, char **argv, const char **positional,
                  int most, int *count) {
    int only_words = 0;
    *count = 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (only_words || word[0] != '-' || !word[1]) {
            if (*count == most) return complain(EXIT_USAGE, "unexpected argument %s; see --help", word);
            positional[(*count)++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_words = 1;
            continue;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            print_help(table, help);
            return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_DONE : complain(EXIT_FAILED, "stdout: could not be written");
        }
        const char *name = word + (word[1] == '-' ? 2 : 1);
        const size_t length = strcspn(name, "=");
        const option *o = table;
        /* Short forms have one dash, long ones two. */
        while (o->name && !(matches(o->name, name, length) && (length == 1) == (word[1] != '-'))) o++;
        if (!o->name) return complain(EXIT_USAGE, "unknown option %s; see --help", word);
        if (o->kind == OPTION_FLAG) {
            if (name[length]) return complain(EXIT_USAGE, "option %s takes no value", word);
            *(int *)o->to = 1;
            continue;
        }
        const char *value = name[length] ? name + length + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value) return complain(EXIT_USAGE, "option %s needs a value: %s", word, o->value);
        const int taken = take_value(o, value);
        if (taken != EXIT_DONE) return taken;
    }
    return OPTIONS_GO_ON;
}
