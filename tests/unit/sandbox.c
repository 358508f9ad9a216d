/* What the programs can do in their sandboxes, and what not. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"
#include "tap.h"

#if !defined(__SANITIZE_ADDRESS__)
static bool
denied(long result)
{
	return result == -1 && errno == EPERM;
}

/* A bit for each thing that is not as it should be. */
static int
try_filter(int in, int out)
{
	int wrong = 0;
	char c = 0, *p;

	sandbox_enter(SANDBOX_FILTER);
	wrong |= (read(in, &c, 1) == 1 && c == 'x' && write(out, "y", 1) == 1) ? 0 : 1;
	p = malloc((size_t)64 << 20);
	if (p != NULL)
		memset(p, 1, (size_t)64 << 20);
	p = p != NULL ? realloc(p, (size_t)128 << 20) : NULL;
	wrong |= p != NULL && p[100] == 1 ? 0 : 2;
	free(p);
#if !defined(PGCDC_COVERAGE) /* whose counters are files */
	wrong |= denied(open("/etc/passwd", O_RDONLY | O_CLOEXEC)) ? 0 : 4;
#endif
	wrong |= denied(socket(AF_INET, SOCK_STREAM, 0)) ? 0 : 8;
	wrong |= denied(fork()) ? 0 : 16;
	wrong |= denied(execl("/bin/true", "true", (char *)NULL)) ? 0 : 32;
	wrong |= mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	             0) == MAP_FAILED
	    ? 0
	    : 64;
	return wrong;
}

static int
try_client(int in, int out)
{
	int wrong = 0, fd;
	char c;

	sandbox_enter(SANDBOX_CLIENT);
	wrong |= read(in, &c, 1) == 1 && write(out, "y", 1) == 1 ? 0 : 1;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	wrong |= fd >= 0 && open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0 ? 0 : 2;
	wrong |= denied(execl("/bin/true", "true", (char *)NULL)) ? 0 : 4;
	wrong |= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 8;
	return wrong;
}

static void
check(int (*try)(int, int), const char *name)
{
	int in[2], out[2], status;
	char c = 0;
	pid_t pid;

	if (pipe(in) != 0 || pipe(out) != 0 || write(in[1], "x", 1) != 1)
		abort();
	pid = fork();
	if (pid == 0)
		_exit(try(in[0], out[1]));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	ok(status == 0, "%s: %x", name, (unsigned)status >> 8);
	ok(read(out[0], &c, 1) == 1 && c == 'y', "it could write");
	close(in[0]);
	close(in[1]);
	close(out[0]);
	close(out[1]);
}
#endif

int
main(void)
{
	log_init("sandbox", 0);
#if defined(__SANITIZE_ADDRESS__)
	ok(true, "there is none in a program with a sanitizer");
#else
	check(try_filter, "the filter's");
	check(try_client, "the client's");
#endif
	return done_testing();
}
