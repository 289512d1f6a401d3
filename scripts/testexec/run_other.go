// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package main

import (
	"os"
	"os/exec"
	"syscall"
)

func run(words []string) (int, error) {
	path, err := exec.LookPath(words[0])
	if err != nil {
		return 0, err
	}
	return 0, syscall.Exec(path, words, os.Environ())
}
