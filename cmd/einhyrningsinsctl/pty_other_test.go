// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package main

// lead is only asked for by the tests with a terminal, which are Linux's.
func lead() { panic("no session to lead here") }
