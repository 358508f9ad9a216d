/*
 * measure FILE COMMAND [ARGUMENT...]: runs it, with this standard input and output, and
 * writes what it took to FILE: seconds of wall clock, of CPU (user and system), its peak of
 * resident memory in kB, and how many bytes it wrote to files, pipes and /dev/null (-1 where the
 * kernel does not count them), its messages among them.  The command's pid is in FILE.pid.  Its exit code is the command's,
 * or 1 if a signal ended it.
 *
 * The kernel counts the memory of the process that forked a program as the program's own
 * (getrusage(2), ru_maxrss), so this one is small: an interpreter's would be seen.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static FILE *create(const char *path)
{
	FILE *f = fopen(path, "w");

	if (f == NULL) {
		fprintf(stderr, "measure: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return f;
}

static void finish(FILE *f, const char *path)
{
	if (ferror(f) || fclose(f) != 0) {
		fprintf(stderr, "measure: %s: can't be written\n", path);
		exit(1);
	}
}

/* What the process wrote, which is over and not yet waited for. */
static long long written(pid_t pid)
{
	char path[64], line[128];
	long long n = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/io", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return -1;
	while (fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, "wchar: ", 7) == 0)
			n = strtoll(line + 7, NULL, 10);
	fclose(f);
	return n;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	siginfo_t info;
	long long bytes;
	double began = now(), took;
	char path[4096];
	int status, error;
	pid_t pid;
	FILE *f;

	if (argc < 3 || snprintf(path, sizeof path, "%s.pid", argv[1]) >= (int)sizeof path) {
		fprintf(stderr, "usage: measure FILE COMMAND [ARGUMENT...]\n");
		return 1;
	}
	error = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
	if (error != 0) {
		fprintf(stderr, "measure: %s: %s\n", argv[2], strerror(error));
		return 127;
	}
	/* Who reads the command's end from a pipe is to see it. */
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	f = create(path);
	fprintf(f, "%d\n", (int)pid);
	finish(f, path);
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == -1)
		if (errno != EINTR)
			return 1;
	took = now() - began;
	bytes = written(pid);
	while (wait4(pid, &status, 0, &usage) == -1)
		if (errno != EINTR)
			return 1;
	f = create(argv[1]);
	fprintf(f, "%.4f %.6f %ld %lld\n", took,
	    seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss, bytes);
	finish(f, argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
