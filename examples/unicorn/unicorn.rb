# SPDX-License-Identifier: GPL-3.0-or-later
# unicorn under einhyrningsins: one of unicorn's workers for each of ours, and an
# ACK once it accepts.

require "json"
require "socket"

worker_processes 1

# Tells einhyrningsins that we accept, in the name of unicorn's master, whose
# process group we are in. It is called in unicorn's worker, when the application
# is loaded and the signal handlers are set.
after_worker_ready do |server, worker|
  path = ENV["EINHORN_SOCK_PATH"] or next # started by hand
  begin
    UNIXSocket.open(path) do |s| # waits while there is no master
      s.puts JSON.generate(command: "worker:ack", pid: Process.ppid)
      s.gets or raise EOFError
    end
  rescue EOFError, Errno::ECONNRESET, Errno::EPIPE
    retry # a master died with it: tell the next one
  end
end
