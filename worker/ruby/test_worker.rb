# SPDX-License-Identifier: MIT
# frozen_string_literal: true

# Tests of worker.rb: ruby test_worker.rb

require "minitest/autorun"
require "tmpdir"
require "webrick"
require_relative "worker"

GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OURS = /\A(EINHORN_|LISTEN_|SERVER_STARTER_|NOTIFY_)/

class Case < Minitest::Test
  def setup
    @env = ENV.to_h
    ENV.delete_if { |name, _| name.match?(OURS) }
    @dir = Dir.mktmpdir
    @path = File.join(@dir, "sock")
    @threads = []
    @stop = quiet_stop
  end

  def teardown
    @stop.ask(hurry: true)
    @threads.each(&:join)
    ENV.replace(@env)
    FileUtils.remove_entry(@dir)
  end

  # One that is asked by the tests, not by signals.
  def quiet_stop
    trap = Signal.method(:trap)
    Signal.singleton_class.send(:remove_method, :trap)
    Signal.define_singleton_method(:trap) { |*| nil }
    Worker::Stop.new
  ensure
    Signal.singleton_class.send(:remove_method, :trap)
    Signal.define_singleton_method(:trap, trap)
  end

  def run_thread(&block)
    Thread.new(&block).tap { |t| @threads << t }
  end

  # What the block logs.
  def warnings(&block)
    capture_io(&block).last
  end
end

class SocketsTest < Case
  def test_what_the_environment_names
    pid = Process.pid.to_s
    {
      {} => [],
      { "EINHORN_FD_COUNT" => "2", "EINHORN_FD_0" => "3", "EINHORN_FD_1" => "5", "EINHORN_FDS" => "9" } => [3, 5],
      { "EINHORN_FD_COUNT" => "0", "EINHORN_FDS" => "9" } => [],
      { "EINHORN_FDS" => "3 4", "LISTEN_FDS" => "9" } => [3, 4],
      { "LISTEN_FDS" => "2", "LISTEN_PID" => pid } => [3, 4],
      { "LISTEN_FDS" => "2", "LISTEN_PID" => "1" } => [],
      { "LISTEN_FDS" => "2" } => [],
      { "LISTEN_FDS" => "2", "LISTEN_PID" => "1", "SERVER_STARTER_PORT" => "80=3;[::1]:81=4;/a=b=5" } => [3, 4, 5]
    }.each do |env, want|
      ENV.delete_if { |name, _| name.match?(OURS) }
      ENV.update(env)
      assert_equal want, Worker.send(:inherited).map(&:last), env
    end
  end

  def test_what_is_wrong_is_named
    file = File.open(File::NULL)
    plain = Socket.new(:INET, :STREAM)
    {
      {} => /EINHORN_FD_0 is not set, nor LISTEN_FDS/,
      { "EINHORN_FD_COUNT" => "x" } => /EINHORN_FD_COUNT=x is not a number/,
      { "EINHORN_FD_COUNT" => "2", "EINHORN_FD_0" => "3" } => /EINHORN_FD_1 is not set, but EINHORN_FD_COUNT=2/,
      { "EINHORN_FDS" => "3 -1" } => /EINHORN_FDS=-1 is not a number/,
      { "EINHORN_FDS" => "3 3" } => /the same descriptor twice/,
      { "EINHORN_FDS" => "9999" } => /cannot use EINHORN_FDS=9999: /,
      { "EINHORN_FDS" => file.fileno.to_s } => /cannot use EINHORN_FDS/,
      { "EINHORN_FDS" => plain.fileno.to_s } => /does not listen/,
      { "SERVER_STARTER_PORT" => "x" } => /SERVER_STARTER_PORT=x is not a number/
    }.each do |env, want|
      ENV.delete_if { |name, _| name.match?(OURS) }
      ENV.update(env)
      e = assert_raises(ArgumentError, env) { Worker.sockets }
      assert_match want, e.message
    end
    refute file.closed? || plain.closed?
  end

  def test_inherited_ones_come_before_addresses
    tcp = TCPServer.new("127.0.0.1", 0)
    unix = UNIXServer.new(@path)
    udp = UDPSocket.new
    udp.bind("127.0.0.1", 0)
    [tcp, unix, udp].each { |s| s.autoclose = false } # they are taken over
    ENV.update("EINHORN_FDS" => [tcp, unix, udp].map(&:fileno).join(" "), "EINHORN_CHILD_INDEX" => "3")
    got = Worker.sockets("127.0.0.1:1")
    assert_equal [TCPServer, UNIXServer, UDPSocket], got.map(&:class)
    assert_equal tcp.addr, got[0].addr
    assert got.all?(&:close_on_exec?)
    assert Worker.managed?
    assert_equal 3, Worker.index
    got.each(&:close)
  end

  def test_addresses
    Worker.sockets("127.0.0.1:0").each do |s|
      TCPSocket.new("127.0.0.1", s.addr[1]).close
      s.close
    end
    refute Worker.managed?
    assert_nil Worker.index
    %w[8080 host host:x /path].each { |wrong| assert_raises(ArgumentError) { Worker.sockets(wrong) } }
  end
end

class AckTest < Case
  def setup
    super
    ENV.update("EINHORN_SOCK_PATH" => @path, "EINHORN_MASTER_PID" => Process.ppid.to_s)
  end

  # A control socket that does as it is told with each connection.
  def manager(*answers)
    server = UNIXServer.new(@path)
    run_thread do
      answers.map do |answer|
        conn = server.accept
        JSON.parse(conn.gets).tap do
          conn.write(answer) if answer
          conn.close
        end
      end
    ensure
      server.close
    end
  end

  def test_answered
    thread = manager("\"Acknowledged!\"\n")
    assert Worker.ack
    assert_equal [{ "command" => "worker:ack", "pid" => Process.pid }], thread.value
  end

  def test_closed_without_a_word_is_tried_once_more
    thread = manager(nil, nil)
    assert Worker.ack
    assert_equal 2, thread.value.size
  end

  def test_goes_on_trying_while_the_master_is_away
    arrived = nil
    Worker.define_singleton_method(:sleep) { |_| arrived ||= @arrive.call }
    Worker.instance_variable_set(:@arrive, -> { manager("ok\n") })
    assert Worker.ack
    assert_equal 1, arrived.value.size
  ensure
    Worker.singleton_class.send(:remove_method, :sleep)
  end

  def test_gives_up
    assert_match(/cannot send worker:ack to #{@path}/, warnings { refute Worker.ack(timeout: 0.02) })
  end

  def test_another_parent_is_refused
    UNIXServer.open(@path) do
      ENV["EINHORN_MASTER_PID"] = "1073741824"
      assert_match(/no worker:ack: .* but the parent is/, warnings { refute Worker.ack })
      assert_match(/no worker:ping/, warnings { refute Worker.ping("x") })
    end
  end

  def test_without_a_manager
    %w[EINHORN_SOCK_PATH EINHORN_MASTER_PID].each do |name|
      before = ENV.delete(name)
      assert_empty(warnings { refute Worker.ack })
      ENV[name] = before
    end
  end

  def test_ping
    thread = manager(nil)
    assert Worker.ping("GET /")
    assert_equal [{ "command" => "worker:ping", "pid" => Process.pid, "request_id" => "GET /" }], thread.value
    assert_raises(ArgumentError) { Worker.ping("x" * 257) }
  end

  def test_a_connection_of_its_own
    ours, theirs = UNIXSocket.pair
    ENV["EINHORN_SOCK_FD"] = ours.fileno.to_s
    theirs.write("{\"ok\":true}\n")
    assert Worker.ack
    assert Worker.ping("x")
    assert_equal({ "command" => "worker:ack", "pid" => Process.pid, "id" => 1 }, JSON.parse(theirs.gets))
    assert_equal "worker:ping", JSON.parse(theirs.gets)["command"]
    [ours, theirs].each(&:close)
  end

  def test_an_own_connection_that_is_none
    listener = TCPServer.new("127.0.0.1", 0)
    client = TCPSocket.new("127.0.0.1", listener.addr[1])
    file = File.open(File::NULL)
    [listener, client, file].map { |io| io.fileno.to_s }.push("0", "x", "9999").each do |fd|
      ENV["EINHORN_SOCK_FD"] = fd
      assert_match(/cannot send/, warnings { refute Worker.ack(timeout: 0.01) })
    end
    [listener, client, file].each(&:close)
  end

  def test_systemd_is_told_too
    ENV.delete("EINHORN_SOCK_PATH")
    ENV["NOTIFY_SOCKET"] = @path
    Socket.open(:UNIX, :DGRAM) do |s|
      s.bind(Socket.pack_sockaddr_un(@path))
      assert Worker.ack
      assert_equal "READY=1", s.recv(100)
    end
    File.unlink(@path)
    assert_match(/cannot send READY=1/, warnings { refute Worker.ack })
  end
end

class SignalsTest < Case
  def test_stop
    handlers = %w[USR1 USR2 TERM INT].to_h { |s| [s, Signal.trap(s, "DEFAULT")] }
    called = 0
    [%w[USR2 TERM], %w[USR1 INT]].each do |graceful, hurry|
      stop = Worker::Stop.new(graceful: graceful) { called += 1 }
      refute stop.wait(0)
      Process.kill(graceful, Process.pid)
      assert stop.wait(30) && stop.asked? && !stop.hurried?
      Process.kill(hurry, Process.pid)
      Thread.pass until stop.hurried?
    end
    assert_equal 2, called
  ensure
    handlers.each { |s, handler| Signal.trap(s, handler) }
  end
end

# What holds for every server, whoever runs it.
module Drains
  def start(waits = {})
    @before = waits.to_h { |name, _| [name, Worker.const_get(name)] }
    change(waits)
    @ours = TCPServer.new("127.0.0.1", 0)
    @listener = TCPServer.for_fd(@ours.dup.tap { |s| s.autoclose = false }.fileno)
    @server = run_thread { serve(@listener) }
  end

  def change(waits)
    waits.each do |name, value|
      Worker.send(:remove_const, name)
      Worker.const_set(name, value)
    end
  end

  def finish
    @server.join
    assert @listener.closed?, "it is still open"
    @ours.close
    change(@before)
  end

  def dial = TCPSocket.new("127.0.0.1", @ours.addr[1])

  def receive(conn)
    text = +""
    text << conn.readpartial(4096) until text.end_with?("ok")
    text
  end

  def ask(conn)
    conn.write(GET)
    receive(conn)
  end

  def ask_until_last(conn)
    nil until ask(conn).match?(/^Connection: close/i)
  end

  def test_drain
    start
    # Connections are accepted in their order: with the answer of the last all were.
    unused, half, idle, last = Array.new(4) { dial }
    half.write(GET[0, 9])
    [idle, last].each { |c| refute_match(/^Connection: close/i, ask(c)) }
    @stop.ask
    ask_until_last(last)
    half.write(GET[9..])
    assert_match(/^Connection: close/i, receive(half))
    [unused, idle].each { |c| assert_match(/^Connection: close/i, ask(c)) }
    [unused, half, idle, last].each { |c| assert_nil c.read(1) }
    finish
  end

  def test_silent
    start(IDLE_WAIT: 0.05, UNUSED_WAIT: 0.05)
    unused, used = dial, dial
    ask(used)
    @stop.ask
    [unused, used].each { |c| assert_nil c.read(1) }
    finish
  end

  def test_hurried
    start(HURRIED_WAIT: 0.05)
    unused, used = dial, dial
    ask(used)
    @stop.ask
    @stop.ask(hurry: true)
    [unused, used].each { |c| assert_nil c.read(1) }
    finish
  end
end

class ThreadsTest < Case
  include Drains

  def serve(listener)
    Worker.serve([listener], stop: @stop) do |conn, turns|
      while turns.wait && conn.gets
        nil until conn.gets.strip.empty?
        close = turns.last? ? "Connection: close\r\n" : ""
        conn.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n#{close}\r\nok")
        break unless close.empty?
      end
    end
  end
end

class WEBrickTest < Case
  include Drains

  def server
    log = WEBrick::Log.new($stderr, WEBrick::Log::ERROR)
    WEBrick::HTTPServer.new(DoNotListen: true, DoNotReverseLookup: true, AccessLog: [], Logger: log).tap do |s|
      s.mount_proc("/") { |_, res| res.body = "ok" }
    end
  end

  def serve(listener)
    Worker.serve_webrick(server, [listener], stop: @stop)
  end

  # Told to end by somebody else, it leaves the socket to the other workers.
  def test_its_own_shutdown
    other = TCPServer.new("127.0.0.1", 0)
    web = server
    web.config[:StartCallback] = -> { web.shutdown }
    Worker.serve_webrick(web, [other.dup], stop: @stop, acknowledge: false)
    TCPSocket.new("127.0.0.1", other.addr[1]).close
    other.close
  end

  # WEBrick had seen a connection, and the stop took the last token before it did.
  def test_a_stop_between_a_connection_and_its_token
    listener = TCPServer.new("127.0.0.1", 0)
    web = server
    stop = @stop
    accepting = nil
    web.config[:StartCallback] = -> { accepting = Thread.current }
    web.tokens.define_singleton_method(:pop) do
      if Thread.current == accepting
        stop.ask
        Thread.pass until web.status == :Shutdown
      end
      super()
    end
    serving = run_thread { Worker.serve_webrick(web, [listener.dup], stop: stop, acknowledge: false) }
    client = TCPSocket.new("127.0.0.1", listener.addr[1])
    assert serving.join(20), "it waits for a token for ever"
  ensure
    client&.close
    listener.close
    Array.new(web.tokens.num_waiting) { web.tokens.push(nil) } # or no test comes after it
  end

  # If this fails WEBrick was mended, and what is said of it has to change.
  def test_what_webrick_does_by_itself
    listener = TCPServer.new("127.0.0.1", 0)
    port = listener.addr[1]
    other = listener.dup # as another worker has it
    web = server
    web.listeners << listener
    begun = Queue.new
    web.config[:AcceptCallback] = ->(_) { begun << 1 }
    thread = run_thread { web.start }
    used, unused = Array.new(2) { TCPSocket.new("127.0.0.1", port) }
    2.times { begun.pop }
    ask(used)
    web.shutdown
    Thread.pass until web.status == :Shutdown
    # It is there as soon as the server looks again.
    [used, unused].each do |c|
      c.write(GET)
      assert_raises(EOFError, Errno::ECONNRESET, Errno::EPIPE) { receive(c) }
    end
    thread.join
    # It has shut down the socket of all, which listens no more.
    assert_raises(Errno::ECONNREFUSED) { TCPSocket.new("127.0.0.1", port) }
    other.close
  end
end
