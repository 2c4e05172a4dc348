/* The `sora` program. */
#include <stdio.h>
#include <string.h>

#include <sora/sora.h>

#include "tools/commands.h"
#include "tools/options.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
} commands[] = {
    {"generate", cmd_generate, "make a video or an image from words"},
    {"animate", cmd_operation, "make a video that begins with an image"},
    {"extend", cmd_operation, "make more of a clip, before it or behind it"},
    {"loop", cmd_operation, "lead a clip back to its beginning"},
    {"edit", cmd_operation, "make a clip again under another text"},
    {"connect", cmd_operation, "join two clips by what lies between them"},
    {"fill", cmd_operation, "make the frames that a clip lacks"},
    {"inpaint", cmd_operation, "edit a region of a clip by text, or make it anew"},
    {"train", cmd_train, "train an autoencoder, a transformer or a probe from a recipe"},
    {"eval", cmd_eval, "what a model gets right on held-out combinations"},
    {"world", cmd_world, "render captioned clips of the drawn world"},
    {"info", cmd_info, "what is in a model or a tensor file"},
    {"bench", cmd_bench, "time a generation, phase by phase"},
    {"tokenize", cmd_tokenize, "the ids of a text"},
    {"tokenizer", cmd_tokenizer, "make a tokenizer from captions"},
    {"stage", cmd_stage, "run one stage alone, tensors in and out"},
    {"convert", cmd_convert, "turn a folder into a .sora file or back, or change the types of weights"},
};

#define COMMANDS (sizeof commands / sizeof *commands)

static int help(void) {
    printf("usage: sora COMMAND [options]\nVideo generation in one small library.\n\n");
    for (size_t i = 0; i < COMMANDS; i++) printf("  %-10s %s\n", commands[i].name, commands[i].about);
    printf("\n`sora COMMAND --help` says more. `sora --version` prints the version.\n");
    return fflush(stdout) == 0 ? EXIT_DONE : complain(EXIT_FAILED, "stdout: could not be written");
}

int main(int argc, char **argv) {
    if (argc < 2) return complain(EXIT_USAGE, "a command is needed; see sora --help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) return help();
    if (strcmp(argv[1], "--version") == 0) {
        printf("%s\n", sora_build_info());
        return fflush(stdout) == 0 ? EXIT_DONE : complain(EXIT_FAILED, "stdout: could not be written");
    }
    interrupt_catch();
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    return complain(EXIT_USAGE, "unknown command %s; see sora --help", argv[1]);
}
