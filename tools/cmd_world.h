/* `sora world`: renders captioned clips of the world. */
#ifndef SORA_TOOLS_CMD_WORLD_H
#define SORA_TOOLS_CMD_WORLD_H

/* argv[0] is the command's name. Returns the program's exit code: 0, 2 for wrong arguments, 1 for a failure. */
int cmd_world(int argc, char **argv);

#endif
