/** One line for crashes inside libraries, which some have on damaged files: the file that was being read. */
#ifndef NCC_CRASH_H
#define NCC_CRASH_H

/** From now on SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT in a thread that reads a file tell that file in one line and
 *  end the process with the exit code of an internal error. In others they write a stack and end it as ever. Where
 *  somebody else catches them already, as sanitizers do, nothing is changed. */
void ncc_crash_catch(void);

/** What the calling thread reads from now on. @param[in] path  borrowed until the next call; NULL: nothing.
 *  @return what it was, to be put back. */
const char *ncc_crash_reading(const char *path);

#endif
