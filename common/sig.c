#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "sig.h"

static int wake[2] = { -1, -1 };
static volatile sig_atomic_t terms;

static void
on_term(int signo)
{
	int saved = errno;
	ssize_t n;

	(void)signo;
	if (terms++ > 0)
		_exit(EXIT_TEMPORARY);
	/* It is written once only, so the pipe never fills. */
	n = write(wake[1], "", 1);
	(void)n;
	errno = saved;
}

int
sig_init(void)
{
	struct sigaction sa = { .sa_handler = on_term, .sa_flags = SA_RESTART };

	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0) {
		log_error("cannot make a pipe");
		_exit(EXIT_TEMPORARY);
	}
	sigemptyset(&sa.sa_mask);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGXFSZ, &sa, NULL);
	return wake[0];
}

int
sig_terms(void)
{
	return terms;
}
