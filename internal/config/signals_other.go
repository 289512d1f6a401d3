// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux && !freebsd

package config

// There are no real-time signals here.
const (
	rtMin = 0
	rtMax = 0
)
