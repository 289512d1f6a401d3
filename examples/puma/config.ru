# SPDX-License-Identifier: GPL-3.0-or-later
# A Rack application that says who it is. /slow takes 50 ms.

require_relative "drain"

use Drain

GENERATION = ENV.fetch("SERVER_STARTER_GENERATION", "0")

run lambda { |env|
  sleep 0.05 if env["PATH_INFO"] == "/slow"
  body = "pid=#{Process.pid} generation=#{GENERATION}\n"
  [200, { "content-type" => "text/plain", "content-length" => body.bytesize.to_s }, [body]]
}
