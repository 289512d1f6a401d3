# SPDX-License-Identifier: GPL-3.0-or-later
# puma under einhyrningsins: one process, which takes the sockets that it was
# started with and tells NOTIFY_SOCKET when it accepts.

threads 1, Integer(ENV.fetch("THREADS", 4))
bind_to_activated_sockets "only"
# Exit with 0 when asked to end.
raise_exception_on_sigterm false
