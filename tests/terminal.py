"""tests/terminal.py COLUMNS COMMAND...: runs it on a terminal of so many columns, prints what the
terminal got ("\\r" as a line "<cr>") and exits with its status."""
import fcntl
import os
import pty
import struct
import sys
import termios

pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
got = b""
while True:
    try:
        block = os.read(fd, 1 << 16)
    except OSError:  # the other side is closed
        break
    if not block:
        break
    got += block
sys.stdout.buffer.write(got.replace(b"\r\n", b"\n").replace(b"\r", b"\n<cr>"))
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
