// SPDX-License-Identifier: GPL-3.0-or-later

package ready

// tcp is for programs with a port of their own.
var tcp = Mode{
	Name: "tcp", Arg: "ADDR", When: "it accepts connections on a port of its own",
	Check: func(words []string) error {
		_, err := ownAddress(words, "tcp:127.0.0.1:80{index}")
		return err
	},
	Attempt: func(address string) error {
		conn, err := dial(address)
		if err != nil {
			return err
		}
		return conn.Close()
	},
}
