"""on-terminal.py SECONDS COMMAND...: runs it on a terminal of its own of 24 lines and 80 columns,
and copies what it writes there; INT, as from the keyboard, after so many seconds.  Its exit
status."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

end = time.monotonic() + float(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[2], sys.argv[2:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
while True:
    left = end - time.monotonic()
    if end and left <= 0:
        os.write(fd, b"\x03")
        end, left = 0, 30
    if not select.select([fd], [], [], left if end else 30)[0]:
        continue
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    os.write(1, data)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
