// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package test

import "errors"

var errLinux = errors.New("only on Linux")

func ignoreAll() error        { return errLinux }
func blockAll() error         { return errLinux }
func limitFiles(int) error    { return errLinux }
func beLocked(string) error   { return errLinux }
func beBound(int) error       { return errLinux }
func leaseMain([]string) int  { return 99 }
func flightMain([]string) int { return 99 }
