// SPDX-License-Identifier: GPL-3.0-or-later

package ready

// tcp is for programs with a port of their own.
var tcp = Mode{
	Name: "tcp", Arg: "ADDR", When: "it accepts connections on a port of its own",
	Check: func(arg string) error { return checkAddress(arg, "tcp:127.0.0.1:200{index}") },
	Attempt: func(address string) error {
		conn, err := dial(address)
		if err != nil {
			return err
		}
		return conn.Close()
	},
}
