# SPDX-License-Identifier: GPL-3.0-or-later

# Ends kept connections before puma ends: once TERM came, each answer says
# "Connection: close", and puma itself hears of TERM half a second later.
#
# Until then it goes on as ever, and two faults of its own end can do no harm:
#
# - Without a free thread puma waits for one before it looks at anything else, and
#   a kept connection whose next request comes within 0.2 s keeps its thread. With
#   as many of these as there are threads, puma never learns that it has to end.
# - A thread that has waited these 0.2 s in vain when puma ends may answer a
#   request that was never sent, with 500. Here none waits any more.
#
# A second TERM is passed on at once.
class Drain
  PAUSE = 0.5 # seconds; longer than a thread waits for the next request

  def initialize(app)
    @app = app
    puma = trap("TERM") do
      if @ending
        puma.call
      else
        @ending = Thread.new { sleep PAUSE and puma.call }
      end
    end
  end

  # puma closes the connection when the request has asked for that, which it looks
  # up when the answer is there.
  def call(env)
    @app.call(env)
  ensure
    env["HTTP_CONNECTION"] = "close" if @ending
  end
end
