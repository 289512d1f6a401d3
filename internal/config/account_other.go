// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package config

// mayBecome leaves it to the worker's start.
func mayBecome(*RunAs) error { return nil }
