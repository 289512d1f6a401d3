# SPDX-License-Identifier: GPL-3.0-or-later
# puma under einhyrningsins: one process, which takes the sockets that it was
# started with and tells NOTIFY_SOCKET when it accepts.

require "socket"

threads 1, Integer(ENV.fetch("THREADS", 4))
bind_to_activated_sockets "only"
# Exit with 0 when asked to end.
raise_exception_on_sigterm false

# Asked to end, puma closes the connections that it has accepted and read nothing
# from. With this the kernel keeps a connection until its first bytes are there
# (or some 5 s have passed), so that puma has none of these.
ENV.fetch("EINHORN_FDS", "").split.each do |fd|
  socket = Socket.for_fd(fd.to_i)
  socket.autoclose = false
  socket.setsockopt(:TCP, :DEFER_ACCEPT, 5) if socket.local_address.ip?
end
