/** What the program says of itself, on stdout, from the tables of its commands: nothing here is kept by hand twice. */
#ifndef NCC_ABOUT_H
#define NCC_ABOUT_H

void ncc_about_help(void);
void ncc_about_version(void);

/** The man page, in roff. */
void ncc_about_man(void);

/** Completions, to be sourced by that shell or to lie where it looks for them. */
void ncc_about_bash(void);
void ncc_about_zsh(void);

#endif
