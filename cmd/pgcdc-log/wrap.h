#ifndef WRAP_H
#define WRAP_H

/*
 * Copy standard input, what a mapper of one's own says, to standard error, until its end:
 * a line that is an event already (log.h) as it is, any other one as an event of level
 * info, in pieces where it is long.  The last line is the reason (log_reason) unless it
 * was an event, for those have told theirs.
 *
 * It reads on whatever becomes of standard error, and ignores what ends others: who
 * writes the lines is never held up longer than standard error itself holds him up, and
 * nothing that he says before his end is lost.  An exit status.
 */
int wrap(void) __attribute__((warn_unused_result));

#endif
