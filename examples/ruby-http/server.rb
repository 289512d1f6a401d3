#!/usr/bin/env ruby
# SPDX-License-Identifier: GPL-3.0-or-later
# frozen_string_literal: true

# An HTTP worker for einhyrningsins, with WEBrick. All that makes it a worker is in
# worker.rb: a copy of it belongs beside this file.

require "optparse"
require "webrick"
require_relative "../../worker/ruby/worker"

boot = 0.0
build = "dev"
addresses = []
OptionParser.new do |o|
  o.on("--boot SECONDS", Float, "time that starting takes") { |v| boot = v }
  o.on("--build NAME", "what to call this build in the answers") { |v| build = v }
  o.on("--addr HOST:PORT", "where to listen without a manager") { |v| addresses << v }
end.parse!

stop = Worker::Stop.new # the signals are ours from here on
begin
  listeners = Worker.sockets(*addresses)
rescue ArgumentError, SystemCallError => e
  abort "server.rb: #{e.message}"
end
exit if stop.wait(boot)

answer = "pid=#{Process.pid} index=#{Worker.index} build=#{build}\n"
server = WEBrick::HTTPServer.new(
  DoNotListen: true, DoNotReverseLookup: true, AccessLog: [], Logger: WEBrick::Log.new($stderr, WEBrick::Log::WARN)
)
server.mount_proc("/") do |_, res|
  res["Content-Type"] = "text/plain"
  res.body = answer
end
Worker.serve_webrick(server, listeners, stop: stop)
