// SPDX-License-Identifier: GPL-3.0-or-later

package ready

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// http is for the same programs where they tell their health. It is a request of
// four lines, made by hand: a probe is started again and again, and package net/http
// would be most of the daemon.
var http = Mode{
	Name: "http", Arg: "//ADDR", When: "it answers a GET there with a status from 200 to 399",
	Check: func(arg string) error { return checkAddress(arg, "http://127.0.0.1:200{index}/health") },
	Attempt: func(url string) error {
		address, path, _ := strings.Cut(strings.TrimPrefix(url, "//"), "/")
		conn, err := dial(address)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: einhyrningsins\r\nConnection: close\r\n\r\n", path, address)
		if err != nil {
			return fmt.Errorf("cannot send a request to %s: %w", address, err)
		}
		line, err := bufio.NewReader(io.LimitReader(conn, 4<<10)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("no answer from %s: %w", address, err)
		}
		var minor, status int
		if _, err := fmt.Sscanf(line, "HTTP/1.%d %d", &minor, &status); err != nil {
			return fmt.Errorf("the answer from %s is not HTTP/1: %q", address, line)
		}
		if status < 200 || status > 399 {
			return fmt.Errorf("%s answers GET /%s with %s", address, path, strings.TrimSpace(line))
		}
		return nil
	},
}
