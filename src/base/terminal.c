/** See terminal.h. */
#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int ncc_terminal_columns(int descriptor) {
  struct winsize size = {0};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

const char *ncc_terminal_colour(FILE *stream, ncc_colour colour) {
  static const char *const codes[] = {[NCC_COLOUR_OFF] = "\033[0m",
                                      [NCC_COLOUR_BAD] = "\033[1;31m",
                                      [NCC_COLOUR_DOUBTFUL] = "\033[33m",
                                      [NCC_COLOUR_HEADING] = "\033[1m"};
  const char *unwanted = getenv("NO_COLOR"), *terminal = getenv("TERM");
  if ((unwanted && *unwanted) || !terminal || strcmp(terminal, "dumb") == 0 || !ncc_terminal_columns(fileno(stream)))
    return "";
  return codes[colour];
}
