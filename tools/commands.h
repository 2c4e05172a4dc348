/* The commands of the program: each takes its own argc and argv and returns the exit code. */
#ifndef SORA_TOOLS_COMMANDS_H
#define SORA_TOOLS_COMMANDS_H

int cmd_train(int argc, char **argv);
int cmd_world(int argc, char **argv);

/* Set by Ctrl-C. Long work looks at it and stops cleanly. */
int interrupted(void);

#endif
