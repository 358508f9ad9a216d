#ifndef SANDBOX_H
#define SANDBOX_H

/*
 * What a program gives up once it is set up, so that input that takes it over can do little: by
 * seccomp(2), which cannot be undone, and with no_new_privs.  What is not allowed fails with EPERM.
 */

enum sandbox {
	/* Reading and writing what is open, memory that is not executable, the clock, exit. */
	SANDBOX_FILTER,
	/* All but what makes other programs run, looks into other processes or changes the system. */
	SANDBOX_CLIENT,
};

/*
 * Enter it.  Where the kernel has no seccomp, or another sandbox forbids it, that is said on the
 * log (level info), and nothing else: the program is as right without.  Built with a sanitizer
 * or for coverage, whose runtime does much of its own, it does nothing.
 */
void sandbox_enter(enum sandbox);

#endif
