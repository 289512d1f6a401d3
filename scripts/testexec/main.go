// SPDX-License-Identifier: GPL-3.0-or-later

// Command testexec runs the binary of a package's tests, as go test does with
// -exec, and lets nothing that the tests have started outlive them:
//
//	go test -exec "$PWD/build/testexec" ./...
//
// What is still there a moment after the tests, because one of them timed out or
// forgot it, is named and killed, and the package has failed. What was started is
// known by descent, so no process of anybody else can be meant: on Linux all
// orphans below testexec become its own children. On other systems it only runs
// the tests.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: testexec BINARY ARG...")
		os.Exit(2)
	}
	status, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testexec:", err)
		os.Exit(1)
	}
	os.Exit(status)
}
