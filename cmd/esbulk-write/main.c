#include "options.h"
#include "writer.h"

int
main(int argc, char **argv)
{
	static struct options o;

	options_parse(argc, argv, &o);
	return writer_run(&o);
}
