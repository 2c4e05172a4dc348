/* The commands of the program: each takes its own argc and argv and returns the exit code. */
#ifndef SORA_TOOLS_COMMANDS_H
#define SORA_TOOLS_COMMANDS_H

#include <sora/sora.h>

int cmd_bench(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_generate(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_operation(int argc, char **argv); /* animate, extend, loop, edit, connect, fill, inpaint: argv[0] says which */
int cmd_stage(int argc, char **argv);
int cmd_tokenize(int argc, char **argv);
int cmd_tokenizer(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_world(int argc, char **argv);

void interrupt_catch(void); /* from now on Ctrl-C is noticed; once, by main */
/* Set by Ctrl-C. Long work looks at it and stops cleanly. */
int interrupted(void);
/* Ctrl-C cancels this pipeline as well, at once; NULL: none. */
void interrupt_watch(sora_pipeline *pipeline);

#endif
