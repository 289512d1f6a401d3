// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package test

func notifyMain([]string) int { return 2 }

func beatUntil(string) error { return nil }
