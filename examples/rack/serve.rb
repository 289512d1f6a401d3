#!/usr/bin/env ruby
# SPDX-License-Identifier: GPL-3.0-or-later
# frozen_string_literal: true

# Serves a Rack application with WEBrick, as a worker of einhyrningsins.
# A copy of worker.rb belongs beside it.

require "rack"
require "rack/handler/webrick" # with Rack 3: rackup/handler/webrick
require_relative "../../worker/ruby/worker"

stop = Worker::Stop.new # the signals are ours from here on
listeners = Worker.sockets("127.0.0.1:8080") # the address is for no manager
app, = Rack::Builder.parse_file("config.ru")

server = WEBrick::HTTPServer.new(DoNotListen: true, DoNotReverseLookup: true, AccessLog: [])
server.mount("/", Rack::Handler::WEBrick, app)
Worker.serve_webrick(server, listeners, stop: stop)
