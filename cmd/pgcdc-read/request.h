#ifndef REQUEST_H
#define REQUEST_H

/*
 * The other end of --control: send a line to the reader that listens at path, and print what it
 * answers.  Returns the exit status: 100 where the answer is an error, 111 where none comes.
 */
int request_send(const char *path, const char *line);

#endif
