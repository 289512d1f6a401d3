# SPDX-License-Identifier: MIT
# frozen_string_literal: true

require "json"
require "socket"

# What a Ruby program needs to run under einhyrningsins or einhorn.
#
# Copy this file into your project; it is all there is. Ruby 3.0 or later.
#
#   require_relative "worker"
#   stop = Worker::Stop.new                            # first: hear the signals
#   listener, = Worker.sockets("127.0.0.1:8080")       # the address is for no manager
#   Worker.serve([listener], stop: stop) do |conn, turns|   # ACKs, accepts, drains, returns
#     while turns.wait                                 # for the next request
#       ... read it from conn, answer, say "Connection: close" if turns.last?
#     end
#   end
#
# With WEBrick:
#
#   server = WEBrick::HTTPServer.new(DoNotListen: true)
#   Worker.serve_webrick(server, [listener], stop: stop)
#
# Other servers use the parts: Worker.sockets, Worker.ack, Worker.ping and
# Worker::Stop.
#
# A drain loses no request. The listening sockets are closed first: they are
# shared, so what waits in their queues goes to other workers. Then
#
# - a request that has begun is answered;
# - every other connection gets one more request answered: one that was never
#   used within UNUSED_WAIT, one that is idle between requests within IDLE_WAIT;
# - these answers say "Connection: close", and the connection ends with them.
#
# The sockets become non-blocking, as Ruby's accept_nonblock makes them.
# O_NONBLOCK belongs to the open file description, so it holds for every process
# that shares them: accept(2) has to expect EAGAIN there.
#
# What goes wrong with a manager is said on standard error. Nothing here ends the
# program because there is no manager.
module Worker
  IDLE_WAIT = 5.0 # seconds that a used connection may be silent in a drain
  UNUSED_WAIT = 30.0 # the same for one that has not sent a request yet
  HURRIED_WAIT = 5.0 # at most, once TERM or INT came

  # What a control socket gives while the master behind it is being replaced, or
  # when its queue is full.
  PASSING = [
    Errno::ENOENT, Errno::ECONNREFUSED, Errno::ECONNRESET, Errno::EPIPE, Errno::EAGAIN, Errno::EINTR, Errno::ETIMEDOUT
  ].freeze
  REPLY_WAIT = 2.0 # a manager may owe no reply
  private_constant :PASSING, :REPLY_WAIT

  # Sockets
  class << self
    # Whether the environment speaks of a manager and its sockets.
    def managed?
      %w[EINHORN_FD_COUNT EINHORN_FDS EINHORN_MASTER_PID].any? { |name| env(name) }
    end

    # The lowest number that no other worker had when this one was started; nil
    # without a manager.
    def index
      Integer(env("EINHORN_CHILD_INDEX") || "", 10, exception: false)
    end

    # The sockets that this process was started with, in their order: TCPServer or
    # UNIXServer, which listen already, or UDPSocket, which are bound.
    #
    # They are looked for as einhorn passes them (EINHORN_FD_0 ...), then systemd
    # (LISTEN_FDS), then Server::Starter (SERVER_STARTER_PORT). When there are none,
    # addresses are bound instead: "HOST:PORT" or "[IPV6]:PORT". ArgumentError tells
    # which variable is wrong, or that there is neither socket nor address.
    def sockets(*addresses)
      found = inherited
      # Look at all before one is touched: with variables left over from another
      # process the descriptors are somebody else's.
      found.each { |name, fd| check(name, fd) }
      return found.map { |_, fd| take(fd) } unless found.empty?

      if addresses.empty?
        raise ArgumentError, "no sockets: EINHORN_FD_0 is not set, nor LISTEN_FDS, nor SERVER_STARTER_PORT; " \
                             "start the program with: einhyrningsins -m -b 127.0.0.1:8080,r -- PROGRAM"
      end
      addresses.map { |address| bind(address) }
    end

    private

    def env(name)
      text = ENV[name]
      text unless text.nil? || text.empty?
    end

    # What the environment names: a text for errors, and the descriptor.
    def inherited
      found = named.map { |name, text| ["#{name}=#{text}", number(name, text)] }
      return found if found.uniq { |_, fd| fd }.size == found.size

      raise ArgumentError, "the same descriptor twice: #{found.map(&:first).join(', ')}"
    end

    def named
      if (count = env("EINHORN_FD_COUNT"))
        Array.new(number("EINHORN_FD_COUNT", count)) do |i|
          name = "EINHORN_FD_#{i}"
          [name, env(name) || raise(ArgumentError, "#{name} is not set, but EINHORN_FD_COUNT=#{count}")]
        end
      elsif (fds = env("EINHORN_FDS"))
        fds.split.map { |text| ["EINHORN_FDS", text] }
      elsif (count = env("LISTEN_FDS")) && env("LISTEN_PID") == Process.pid.to_s
        Array.new(number("LISTEN_FDS", count)) { |i| ["LISTEN_FDS", (3 + i).to_s] }
      else
        (env("SERVER_STARTER_PORT") || "").split(";").map { |item| ["SERVER_STARTER_PORT", item.rpartition("=").last] }
      end
    end

    def number(name, text)
      raise ArgumentError, "#{name}=#{text} is not a number" unless text.match?(/\A\d{1,5}\z/)

      text.to_i
    end

    def check(name, fd)
      socket = open(name, fd)
      return if datagram?(socket) || socket.getsockopt(:SOCKET, :ACCEPTCONN).bool

      raise ArgumentError, "cannot use #{name}: the socket does not listen"
    end

    # Ruby's own word for what is no socket is an ArgumentError.
    def open(name, fd)
      BasicSocket.for_fd(fd).tap { |socket| socket.autoclose = false }
    rescue SystemCallError, ArgumentError => e
      raise ArgumentError, "cannot use #{name}: #{e.message}"
    end

    def take(fd)
      socket = open("descriptor", fd)
      return UDPSocket.for_fd(fd) if datagram?(socket)

      socket.local_address.unix? ? UNIXServer.for_fd(fd) : TCPServer.for_fd(fd)
    end

    def datagram?(socket)
      socket.getsockopt(:SOCKET, :TYPE).int == Socket::SOCK_DGRAM
    end

    def bind(address)
      host, colon, port = address.rpartition(":")
      unless colon == ":" && port.match?(/\A\d+\z/)
        raise ArgumentError, "#{address} is not an address; right is 127.0.0.1:8080 or [::1]:8080"
      end

      server = TCPServer.new(host.delete("[]"), port.to_i) # with SO_REUSEADDR
      server.listen(Socket::SOMAXCONN)
      server
    end
  end

  # ACK and ping
  class << self
    # Tells the manager that this worker accepts connections. It goes on trying for
    # timeout seconds, because the manager's master may be away for a moment.
    # false: there is no manager, or it could not be told. Where NOTIFY_SOCKET is
    # set, systemd's READY=1 goes there, too.
    def ack(timeout: 30.0)
      notified = notify("READY=1")
      tell({ command: "worker:ack", pid: Process.pid }, true, timeout) || notified
    end

    # Gives the manager a sign of life, which its status shows.
    def ping(request_id = "", timeout: 1.0)
      raise ArgumentError, "a request_id has at most 256 bytes" if request_id.bytesize > 256

      tell({ command: "worker:ping", pid: Process.pid, request_id: request_id }, false, timeout)
    end

    # Seconds on a clock that nobody sets.
    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    private

    def tell(message, want_reply, timeout)
      path = env("EINHORN_SOCK_PATH")
      master = env("EINHORN_MASTER_PID")
      return false unless path && master

      if master != Process.ppid.to_s
        # The variables came through another program, or the manager is gone.
        warn "worker: no #{message[:command]}: EINHORN_MASTER_PID=#{master}, but the parent is #{Process.ppid}"
        return false
      end
      insist(path, message, want_reply, now + timeout)
    end

    def insist(path, message, want_reply, deadline)
      closed = false
      pause = 0.005
      loop do
        begin
          return true if deliver(path, message, want_reply) || closed

          # Closed without a word: einhorn does that, and so does a master that
          # dies after it has read the line. Once more can do no harm.
          closed = true
        rescue SystemCallError, IOError => e
          deadline = 0 unless PASSING.any? { |passing| e.is_a?(passing) }
        end
        if now + pause > deadline
          warn "worker: cannot send #{message[:command]} to #{path}: #{e&.message}" unless closed
          return closed
        end
        sleep pause
        pause = [2 * pause, 0.1].min
      end
    end

    # Writes one line. false: the connection was closed without an answer.
    def deliver(path, message, want_reply)
      socket, own = connect(path)
      message = message.merge(id: 1) if own && want_reply # keeps the connection open for pings
      socket.write("#{JSON.generate(message)}\n")
      return true unless want_reply && socket.wait_readable(REPLY_WAIT)

      !socket.recv(4096).empty?
    ensure
      socket&.close
    end

    # The control socket, or else the connection that the worker was started with.
    def connect(path)
      [UNIXSocket.new(path), false]
    rescue SystemCallError, ArgumentError
      own = own_connection(env("EINHORN_SOCK_FD") || "")
      raise unless own

      [own, true]
    end

    def own_connection(text)
      return unless text.match?(/\A\d+\z/) && text.to_i >= 3

      given = BasicSocket.for_fd(text.to_i)
      given.autoclose = false
      return unless given.local_address.unix?

      # Neither end of a socket pair has a name.
      own = UNIXSocket.for_fd(given.dup.tap { |s| s.autoclose = false }.fileno)
      return own if own.addr[1].empty? && own.peeraddr[1].empty?

      own.close
      nil
    rescue SystemCallError
      nil
    end

    def notify(state)
      path = env("NOTIFY_SOCKET")
      return false unless path&.start_with?("/", "@")

      Socket.open(:UNIX, :DGRAM) do |s|
        s.send(state, 0, Socket.pack_sockaddr_un(path.sub(/\A@/, "\0")))
      end
      true
    rescue SystemCallError => e
      warn "worker: cannot send #{state} to #{path}: #{e.message}"
      false
    end
  end

  # Hears that this process is to end: by the graceful signal, TERM or INT.
  #
  # Make it first thing: a signal that comes before ends the process, which is
  # right only while it has accepted nothing. The block is called at the first
  # signal, in a trap handler (so it may lock nothing). A server that has no use
  # for Worker.serve gives it to IO.select, waits for it, or looks at asked? and
  # hurried?.
  class Stop
    def initialize(graceful: "USR2", &call)
      @call = call
      @asked, @asking = IO.pipe
      @hurried, @hurrying = IO.pipe
      [graceful, "TERM", "INT"].uniq.each do |signal|
        Signal.trap(signal) { ask(hurry: signal != graceful) }
      end
    end

    # Whether the process is to end.
    def asked? = @asking.closed?

    # Whether TERM or INT came: it is to end soon.
    def hurried? = @hurrying.closed?

    # Does what the signals do.
    def ask(hurry: false)
      @hurrying.close if hurry
      return if asked?

      @asking.close
      @call&.call
    end

    # Can be read from once the process is to end; for IO.select.
    def to_io = @asked

    # Waits until the process is to end, or timeout seconds have passed.
    def wait(timeout = nil)
      !IO.select([@asked], nil, nil, timeout).nil?
    end

    # Waits for the first bytes of the next request on conn, in its thread. used
    # tells whether there was one before. false: there will be none, as the process
    # is to end and the wait for it is over; close conn.
    def wait_for_request(conn, used)
      return true if readable?(conn, @asked, nil)

      deadline = Worker.now + (used ? IDLE_WAIT : UNUSED_WAIT)
      return true if readable?(conn, @hurried, deadline - Worker.now)

      readable?(conn, nil, [HURRIED_WAIT, deadline - Worker.now].min)
    end

    private

    def readable?(conn, other, timeout)
      ready, = IO.select([conn, other].compact, nil, nil, timeout && [timeout, 0].max)
      !ready.nil? && ready.include?(conn)
    end
  end

  # One connection's part in the drain.
  class Turns
    def initialize(conn, stop)
      @conn = conn
      @stop = stop
      @used = false
    end

    # Waits for the first bytes of the next request (or the end of the connection).
    # false: there will be none; close it.
    def wait
      @stop.wait_for_request(@conn, @used).tap { @used = true }
    end

    # Whether the answer has to be the connection's last: say so in it.
    def last? = @stop.asked?
  end

  class << self
    # ACKs and serves until asked to stop, then drains. The block is called for each
    # connection, in a thread of its own, with the connection and its Turns; it is
    # closed when the block returns.
    def serve(listeners, stop: Stop.new, acknowledge: true, &talk)
      threads = ThreadGroup.new
      Thread.new { ack } if acknowledge
      until stop.asked?
        ready, = IO.select([stop, *listeners])
        (ready - [stop]).each do |listener|
          conn = stop.asked? ? nil : accept(listener)
          threads.add(Thread.new { converse(conn, stop, &talk) }) if conn
        end
      end
      listeners.each(&:close)
      threads.list.each(&:join)
    end

    # ACKs and serves with a WEBrick::HTTPServer until asked to stop, then drains.
    # The server is to be made with DoNotListen, or it listens where it likes.
    #
    # WEBrick's own shutdown closes every connection whose request it has not read
    # yet, also one that waits to be read. So it goes on running here while the
    # connections come to their end, only that it accepts no more.
    def serve_webrick(server, listeners, stop: Stop.new, acknowledge: true)
      server.singleton_class.prepend(WEBrickDrain)
      server.worker_stop = stop
      server.listeners.concat(listeners)
      clients = server.tokens.size # as many as it has room for
      Thread.new { ack } if acknowledge
      Thread.new do
        stop.wait
        server.listeners.clear
        listeners.each(&:close) # which wakes the thread that waits for them
        clients.times { server.tokens.pop }
        server.shutdown
        clients.times { server.tokens.push(nil) } # it may wait for one, with a connection that it saw before
      end
      server.start
    end

    private

    def accept(listener)
      conn = listener.accept_nonblock(exception: false)
      conn unless conn == :wait_readable # another worker was faster
    rescue Errno::ECONNABORTED, Errno::EPROTO, Errno::EINTR
      nil # the client has gone
    rescue SystemCallError => e
      warn "worker: cannot accept: #{e.message}"
      sleep 0.1 # out of descriptors or memory: some will be given back
      nil
    end

    def converse(conn, stop)
      yield conn, Turns.new(conn, stop)
    rescue SystemCallError, IOError
      nil # the client has gone
    ensure
      conn.close
    end
  end

  # Goes between WEBrick and each of its requests.
  module WEBrickDrain
    attr_writer :worker_stop

    def run(sock)
      # It writes head and body apart: the second would wait for the first's receipt.
      sock.to_io.setsockopt(:TCP, :NODELAY, 1) if sock.to_io.is_a?(TCPSocket)
      Thread.current[:worker_turns] = Turns.new(sock.to_io, @worker_stop)
      catch(:worker_done) { super }
    end

    # WEBrick makes each request before it waits for it.
    def create_request(*)
      throw :worker_done unless Thread.current[:worker_turns].wait
      super
    end

    def service(req, res)
      super
    ensure
      res.keep_alive = false if @worker_stop.asked?
    end

    private

    def accept_client(_)
      super unless @worker_stop.asked?
    end

    # However it ends: WEBrick's would call shutdown(2), and the sockets of all
    # workers would listen no more.
    def cleanup_listener
      listeners.each(&:close)
      listeners.clear
    end
  end
  private_constant :WEBrickDrain
end
