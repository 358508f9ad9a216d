#include "exitcode.h"
#include "fdio.h"
#include "options.h"
#include "reader.h"

int
main(int argc, char **argv)
{
	static struct options o;

	if (fd_open_standard() != 0)
		return EXIT_TEMPORARY;
	options_parse(argc, argv, &o);
	return reader_run(&o);
}
