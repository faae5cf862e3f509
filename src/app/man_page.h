/** `mpixcorr --man`: the man page, from the same tables as --help. Run once at build time. */
#ifndef NCC_MAN_PAGE_H
#define NCC_MAN_PAGE_H

/** Prints what comes before the commands' sections. */
void ncc_man_page_begin(void);

/** Prints what comes behind them: exit codes, which follow NCC_STATUS_TABLE, and pointers. */
void ncc_man_page_end(void);

#endif
